import { join } from 'node:path';
import { countInstances, readGauge } from '../measure/gauges.ts';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { hostOf, putModel } from '../measure/model.ts';
import { pause } from '../measure/until.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';
import { ensureTool } from '../peers/tools.ts';
import { type Churn, createChurn } from './churn.ts';
import { formatReport, type Report, type Soaked } from './report.ts';
import { findDrift, readState, type State } from './state.ts';
import type { Target } from './http-kinds.ts';
import { createTally, findUnaccounted, type Tally } from './tally.ts';
import { runTraffic } from './traffic.ts';

/** Everything at once for a long time: see load-tests/README.md. Ends with status 1 and says what is off. */

const values = readOptions({
  minutes: { type: 'string', default: '20' },
  out: { type: 'string', default: resultFile('soak') },
});
const minutes = countOf('minutes', values.minutes);
const MINUTE_MS = 60_000;
/** Caches are filled and pools are full: what is there then must be there at the end. */
const WARM_MS = Math.min(MINUTE_MS, (minutes * MINUTE_MS) / 4);
const REST_MS = 60_000;
/** What a soak of 20 minutes must come to, at least. */
const REQUESTS_PER_MINUTE = 2_000_000 / 20;
const STARTS_PER_MINUTE = 500 / 20;
const MODEL = 'mixed';
const PLAIN = 'plain';
const RPC = 'rpc';

async function soak(rouse: Rouse): Promise<Soaked> {
  const program = process.execPath;
  const instance = await ensureTool('instance', say);
  const models = join(import.meta.dirname, 'models');
  await deploy(rouse, MODEL, { args: [program, join(models, 'mixed.cjs'), '${LISTEN_FD}'] });
  await deploy(rouse, PLAIN, { args: [instance, 'fd', '${LISTEN_FD}'] });
  await deploy(rouse, RPC, {
    args: [program, join(models, 'grpc.cjs'), '${PORT}'],
    readiness: { grpc: true },
  });
  const warm = createTally();
  await runFor(rouse, instance, warm, WARM_MS);
  const start = await rest(rouse);
  const startsBefore = await countStarts(rouse);
  say(`at rest after ${WARM_MS / 1000} s: ${JSON.stringify(start)}`);

  const tally = createTally();
  const churn = await runFor(rouse, instance, tally, minutes * MINUTE_MS);
  const end = await rest(rouse, start);
  const starts = (await countStarts(rouse)) - startsBefore;
  const counts = tally.counts();
  const requests = Object.values(counts).reduce((sum, { sent }) => sum + sent, 0);
  const problems = [
    ...findUnaccounted(counts),
    ...tally.problems(),
    ...findDrift(start, end),
    ...tooFew('requests', requests, REQUESTS_PER_MINUTE * minutes),
    ...tooFew('instance starts', starts, STARTS_PER_MINUTE * minutes),
  ];
  const refusals = tally.refusals();
  return { requests, starts, counts, refusals, churn: churn.done(), start, end, problems };
}

async function deploy(rouse: Rouse, name: string, revision: object): Promise<void> {
  await putModel(rouse, name, {
    revision: { runtime: 'command', concurrency: 200, ...revision },
    scaling: { initial: 0, max: 1 },
    keepAlive: { policy: 'fixed', idle: '1s' },
  });
}

async function runFor(rouse: Rouse, program: string, tally: Tally, ms: number): Promise<Churn> {
  const churn = await createChurn(rouse, program, tally);
  const { port } = rouse;
  const targetOf = (name: string): Target => ({ port, host: hostOf(name), tally });
  const targets = { mixed: targetOf(MODEL), plain: targetOf(PLAIN), rpc: targetOf(RPC) };
  await runTraffic(targets, churn, ms);
  return churn;
}

/** Nobody calls; until all sleep and nothing has drifted from `start`, or it has had time enough. */
async function rest(rouse: Rouse, start?: State): Promise<State> {
  const deadline = performance.now() + REST_MS;
  for (;;) {
    await pause(1000);
    const { all } = await countInstances(rouse);
    const state = await readState(rouse);
    const isLate = performance.now() > deadline;
    if (isLate || (all === 0 && findDrift(start ?? state, state).length === 0)) return state;
  }
}

/** The series of one revision goes with it; this one stays. */
async function countStarts(rouse: Rouse): Promise<number> {
  return await readGauge(rouse, 'rouse_cold_start_seconds_count', 'phase="load"');
}

function tooFew(what: string, found: number, expected: number): string[] {
  return found >= expected ? [] : [`${what}: found ${found}, expected at least ${expected}`];
}

async function main(): Promise<number> {
  const machine = describeMachine();
  return await withFolder('soak', async (folder) => {
    const rouse = await startRouse(folder, true, ['--log-level', 'error']);
    try {
      const report: Report = {
        ...describeRun('soak', machine, { node: process.versions.node }),
        minutes,
        ...(await soak(rouse)),
      };
      await writeResult(values.out, report, formatReport(report));
      return report.problems.length === 0 ? 0 : 1;
    } finally {
      await rouse.stop();
    }
  });
}

process.exitCode = await main();
