import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { choose, resultFile, say, writeResult } from '../measure/results.ts';
import {
  type Peer,
  type PeerName,
  PEERS,
  startInstance,
  startPeer,
  toolOf,
} from '../peers/peers.ts';
import { ensureTool, type ToolName, versionOf } from '../peers/tools.ts';
import { measureRow } from './closed-loop.ts';
import { type Idle, measureIdle, measureIdleHeap } from './idle.ts';
import { measureOpenLoop } from './open-loop.ts';
import { countFailed, formatReport, type Measured, type Report } from './report.ts';
import { measureSlow } from './slow.ts';
import { ROWS } from './rows.ts';

/** The warm path of Rouse beside other proxies: see load-tests/README.md. Ends with status 1 when a request fails. */

/** What is measured besides the rows of wrk. */
const OTHERS = ['open-loop', 'idle', 'slow'];
const ALL = [...ROWS.map(({ name }) => name), ...OTHERS];

const values = readOptions({
  peers: { type: 'string', default: PEERS.join(',') },
  rows: { type: 'string', default: ALL.join(',') },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  connections: { type: 'string' },
  quick: { type: 'boolean', default: false },
  out: { type: 'string', default: resultFile('proxy') },
});
const rounds = countOf('rounds', values.rounds ?? (values.quick ? '3' : '9'));
const seconds = countOf('seconds', values.seconds ?? (values.quick ? '1' : '4'));
const connections = countOf('connections', values.connections ?? (values.quick ? '1000' : '10000'));
const rows = choose(ALL, values.rows, (name) => name);
const names = choose(PEERS, values.peers, (name) => name);
const BASELINES: readonly PeerName[] = ['haproxy', 'go'];

async function main(): Promise<number> {
  const machine = describeMachine();
  return await withFolder('proxy', async (folder) => {
    const running: { stop(): Promise<void> }[] = [];
    try {
      const instance = await startInstance(say);
      running.push(instance);
      const peers: Peer[] = [];
      for (const name of names) {
        const peer = await startPeer(name, { folder, upstream: instance.port, say });
        running.push(peer);
        peers.push(peer);
      }
      const report: Report = {
        ...describeRun('proxy', machine, await readVersions()),
        rounds,
        secondsPerRound: seconds,
        ...(await measure(peers, folder, instance.port)),
      };
      await writeResult(values.out, report, formatReport(report));
      return countFailed(report) > 0 ? 1 : 0;
    } finally {
      for (const each of running.toReversed()) await each.stop();
    }
  });
}

async function measure(
  peers: readonly Peer[],
  folder: string,
  upstream: number,
): Promise<Measured> {
  const measured: Measured = { rows: [], openLoop: [], idle: [], slow: [] };
  for (const load of ROWS.filter(({ name }) => rows.includes(name))) {
    say(`${load.name}: ${rounds} rounds of ${seconds} s with ${names.join(', ')}`);
    const wrk = await ensureTool('wrk', say);
    measured.rows.push(
      await measureRow(load, peers, { wrk, rounds, seconds, baselines: BASELINES }),
    );
  }
  if (rows.includes('open-loop')) {
    say(`open-loop: ${rounds} rounds of ${seconds} s`);
    const vegeta = await ensureTool('vegeta', say);
    measured.openLoop.push(...(await measureOpenLoop(peers, { vegeta, folder, rounds, seconds })));
  }
  if (rows.includes('idle')) {
    say(`idle: ${connections} connections`);
    for (const peer of peers) measured.idle.push(await measureIdle(peer, connections));
    if (names.includes('rouse')) await addHeap(measured.idle, folder, upstream);
  }
  if (rows.includes('slow')) {
    say('slow readers');
    for (const peer of peers) measured.slow.push(await measureSlow(peer));
  }
  return measured;
}

async function addHeap(idle: Idle[], folder: string, upstream: number): Promise<void> {
  const own = join(folder, 'heap');
  await mkdir(own);
  const heapBytes = await measureIdleHeap(own, upstream, connections);
  const at = idle.findIndex(({ peer }) => peer === 'rouse');
  const found = idle[at];
  if (found) idle[at] = { ...found, heapBytes };
}

async function readVersions(): Promise<Record<string, string>> {
  const versions: Record<string, string> = { node: process.versions.node };
  const tools: readonly ToolName[] = ['wrk', 'vegeta'];
  for (const tool of [...names.map(toolOf), ...tools]) {
    if (tool !== undefined) versions[tool] = await versionOf(tool);
  }
  return versions;
}

process.exitCode = await main();
