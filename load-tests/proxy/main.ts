import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readVersion } from '#src/version.ts';
import { describeMachine } from '../measure/machine.ts';
import {
  type Peer,
  type PeerName,
  PEERS,
  startInstance,
  startPeer,
  toolOf,
} from '../peers/peers.ts';
import { ensureTool, versionOf } from '../peers/tools.ts';
import { measureRow, type Row } from './closed-loop.ts';
import { formatReport, type Report } from './report.ts';
import { type Load, ROWS } from './wrk.ts';

/** The warm path of Rouse beside other proxies: see load-tests/README.md. */

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: PEERS.join(',') },
    rows: { type: 'string', default: ROWS.map(({ name }) => name).join(',') },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: resolve(import.meta.dirname, '../results/proxy.json') },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 3 : 9));
const seconds = Number(values.seconds ?? (values.quick ? 1 : 4));
const BASELINES: readonly PeerName[] = ['haproxy', 'go'];

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function choose<T>(all: readonly T[], wanted: string, nameOf: (one: T) => string): T[] {
  return wanted.split(',').map((name) => {
    const found = all.find((one) => nameOf(one) === name);
    if (found === undefined) throw new Error(`${name}: one of ${all.map(nameOf).join(', ')}`);
    return found;
  });
}

async function readVersions(names: readonly PeerName[]): Promise<Record<string, string>> {
  const versions: Record<string, string> = { rouse: readVersion(), node: process.versions.node };
  for (const name of names) {
    const tool = toolOf(name);
    if (tool !== undefined) versions[name] = await versionOf(tool);
  }
  return { ...versions, wrk: await versionOf('wrk') };
}

async function main(): Promise<number> {
  const rows: Load[] = choose(ROWS, values.rows, ({ name }) => name);
  const names = choose(PEERS, values.peers, (name) => name);
  const machine = describeMachine();
  const wrk = await ensureTool('wrk', say);
  const folder = await mkdtemp(join(tmpdir(), 'rouse-proxy-'));
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
    const found: Row[] = [];
    for (const row of rows) {
      say(`${row.name}: ${rounds} rounds of ${seconds} s with ${names.join(', ')}`);
      found.push(await measureRow(row, peers, { wrk, rounds, seconds, baselines: BASELINES }));
    }
    const report: Report = {
      benchmark: 'proxy',
      at: new Date().toISOString(),
      versions: await readVersions(names),
      machine,
      rounds,
      secondsPerRound: seconds,
      rows: found,
    };
    process.stdout.write(`${formatReport(report)}\n`);
    await mkdir(dirname(values.out), { recursive: true });
    await writeFile(values.out, `${JSON.stringify(report, undefined, 2)}\n`);
    return found.some(({ peers }) => peers.some(({ failed }) => failed > 0)) ? 1 : 0;
  } finally {
    for (const each of running.toReversed()) await each.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

process.exitCode = await main();
