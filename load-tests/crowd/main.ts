import { join } from 'node:path';
import { readTrace } from '#simulate/read-trace.ts';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { makeServer } from '../scale/models.ts';
import { FASTER, play, START_MS, type Window } from './contest.ts';
import { foretell } from './foretell.ts';
import { countFailed, formatReport, type Report, type WindowResult } from './report.ts';
import { chooseArrivals, findFixedTime } from './window.ts';

/** Many models where few fit, on a real trace: see load-tests/README.md. Ends with status 1 when a request is lost. */

const TRACE = join(import.meta.dirname, '../traces/azure2019_1350fn_1d_inv.csv.gz');
const MINUTE_MS = 60_000;
const BEGINS = [720, 960, 1200];
/** Played before, so that what is loaded at the beginning is what would be. */
const RUN_UP_MINUTES = 20;

const values = readOptions({
  models: { type: 'string', default: '50' },
  places: { type: 'string', default: '10' },
  minutes: { type: 'string', default: '60' },
  out: { type: 'string', default: resultFile('crowd') },
});
const [models, places, minutes] = [
  countOf('models', values.models),
  countOf('places', values.places),
  countOf('minutes', values.minutes),
];

async function main(): Promise<number> {
  const machine = describeMachine();
  const arrivals = chooseArrivals(await readTrace(TRACE), models);
  return await withFolder('crowd', async (folder) => {
    const { args } = await makeServer(folder);
    const base = { models: arrivals, places, server: args };
    // All windows at the same time: each has a Rouse of its own, and little to do.
    const windows = await Promise.all(
      BEGINS.map(async (begin): Promise<WindowResult> => {
        const window = makeWindow(begin);
        const name = `minutes ${begin}–${begin + minutes}`;
        const learned = join(folder, `learned-${begin}`);
        const adaptive = await play({ ...base, folder: learned, window, fixed: undefined });
        const idle = findFixedTime(arrivals, adaptive.meanLoaded, window.from, window.to);
        say(`${name}: ${adaptive.cold} cold; ${idle / MINUTE_MS} minutes take as much memory`);
        const fixed = await play({
          ...base,
          folder: join(folder, `fixed-${begin}`),
          window,
          fixed: idle,
        });
        say(`${name}: ${fixed.cold} cold with a fixed time`);
        const { from, to } = window;
        const coldSeconds = START_MS / 1000;
        const simulated = foretell({ models: arrivals, places, from, to, coldSeconds, idle });
        const [fromMinute, toMinute] = [begin, begin + minutes];
        return {
          fromMinute,
          toMinute,
          adaptive,
          fixedMinutes: idle / MINUTE_MS,
          fixed,
          simulated,
        };
      }),
    );
    const run = describeRun('crowd', machine, { node: process.versions.node });
    const report: Report = { ...run, models, places, faster: FASTER, windows };
    await writeResult(values.out, report, formatReport(report));
    const lost = windows.flatMap(({ adaptive, fixed }) => adaptive.lost.concat(fixed.lost));
    for (const line of lost.slice(0, 10)) say(line);
    return countFailed(report) === 0 ? 0 : 1;
  });
}

function makeWindow(begin: number): Window {
  return {
    from: begin * MINUTE_MS,
    to: (begin + minutes) * MINUTE_MS,
    playedFrom: (begin - RUN_UP_MINUTES) * MINUTE_MS,
  };
}

process.exitCode = await main();
