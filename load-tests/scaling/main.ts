import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TARGET_MS } from '#simulate/scaling/chosen.ts';
import { CONCURRENCY, MOST_INSTANCES, START_MS } from '#simulate/scaling/run.ts';
import { MEASURED, type Shape, TUNING } from '#simulate/scaling/shapes.ts';
import { makeHaste } from '../crowd/haste.ts';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { putModel, type Spec, untilModel } from '../measure/model.ts';
import { countOf, readOptions, usage } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { startRouse } from '../measure/rouse.ts';
import { playAll, type Played } from './live.ts';
import { addUpTried, chooseTarget, countLost, formatReport, type Report } from './report.ts';

/** Signals against one target of concurrency, live: see load-tests/README.md. Ends with status 1 when a request is lost. */

/** Of the machine, for each instance: in the clock of Rouse that is so many times less. */
const SHARE_MILLIONTHS = 20_000;
/** Not all that the simulation tries, which would be more traffic than two cores can play: its choice, and what is around it. */
const TRIED = [1.2, 1.4, 1.6];

const values = readOptions({
  faster: { type: 'string', default: '2' },
  seconds: { type: 'string', default: '1800' },
  tried: { type: 'string', default: TRIED.join(',') },
  out: { type: 'string', default: resultFile('scaling') },
});
const [faster, seconds] = [countOf('faster', values.faster), countOf('seconds', values.seconds)];
const tried = values.tried.split(',').map((text) => {
  const requests = Number(text);
  if (requests > 0 && requests <= CONCURRENCY) return requests;
  return usage(`--tried: found ${text}, expected numbers above 0, to ${CONCURRENCY}, with commas`);
});

const SIGNALS: Spec = {
  signals: [
    { signal: 'cpu', target: 0.5, weight: 1 },
    { signal: 'latency', target: '450ms' },
  ],
};

/** How a model is scaled, and what that is called. */
interface Contender {
  readonly name: string;
  readonly scaling: Spec;
}

const byConcurrency = (requests: number): Contender => ({
  name: `at-${String(requests).replace('.', '-')}`,
  scaling: { target: requests / CONCURRENCY },
});

async function main(): Promise<number> {
  const machine = describeMachine();
  return await withFolder('scaling', async (folder) => {
    const program = join(folder, 'replica');
    const source = join(import.meta.dirname, 'replica.c');
    await promisify(execFile)('cc', ['-O2', '-o', program, source]);

    const tuning = await contest(folder, program, 'tuning', TUNING, tried.map(byConcurrency));
    const sweep = tried.map((requests, index) => addUpTried(requests, tuning[index] ?? []));
    const target = chooseTarget(sweep);
    say(`chosen: ${target} requests at once for each instance`);
    const [targeted = [], signals = []] = await contest(folder, program, 'measured', MEASURED, [
      byConcurrency(target),
      { name: 'signals', scaling: SIGNALS },
    ]);
    const rows = MEASURED.map(({ name }, index) => ({
      shape: name,
      byConcurrency: targeted[index]!,
      bySignals: signals[index]!,
    }));
    const run = describeRun('scaling', machine, { node: process.versions.node });
    const report: Report = { ...run, faster, seconds, sweep, target, rows };
    await writeResult(values.out, report, formatReport(report));
    return countLost(report) === 0 ? 0 : 1;
  });
}

/** All shapes for all contenders at the same time, on a Rouse of their own; a row for each contender. */
async function contest(
  folder: string,
  program: string,
  name: string,
  shapes: readonly Shape[],
  contenders: readonly Contender[],
): Promise<readonly (readonly Played[])[]> {
  say(`${name}: ${shapes.length} shapes, ${contenders.map((each) => each.name).join(', ')}`);
  await mkdir(join(folder, name));
  const rouse = await startRouse(join(folder, name), false, ['--pool', '0'], makeHaste(faster));
  try {
    const runs = contenders.flatMap((contender) =>
      shapes.map((shape, index) => ({
        model: `${name}-${contender.name}-${index}`,
        shape,
        spec: makeSpec(program, contender.scaling),
      })),
    );
    for (const { model, spec } of runs) await putModel(rouse, model, spec);
    for (const { model } of runs) {
      await untilModel(rouse, model, ({ instances }) => instances.some(isReady));
    }
    const played = await playAll(rouse, runs, {
      faster,
      ms: seconds * 1000,
      targetMs: TARGET_MS,
    });
    return contenders.map((_, index) =>
      played.slice(index * shapes.length, (index + 1) * shapes.length),
    );
  } finally {
    await rouse.stop();
  }
}

function isReady({ state }: { state: string }): boolean {
  return state === 'ready';
}

/** An instance has a core of its own by its own clock, as in the simulation. */
function makeSpec(program: string, scaling: Spec): Spec {
  const args = ['${LISTEN_FD}', faster, SHARE_MILLIONTHS, START_MS / faster].map(String);
  return {
    revision: {
      name: 'v1',
      runtime: 'command',
      args: [program, ...args],
      concurrency: CONCURRENCY,
      resources: { cpu: SHARE_MILLIONTHS / 1e6 / faster, memory: '4Mi' },
    },
    scaling: { min: 1, max: MOST_INSTANCES, ...scaling },
    keepAlive: { policy: 'fixed', idle: '10m' },
  };
}

process.exitCode = await main();
