import { link, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { applyModel } from '../measure/apply.ts';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { choose, resultFile, say, writeResult } from '../measure/results.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';
import { ensureTool, versionOf } from '../peers/tools.ts';
import { type Beside, measureBeside } from './beside.ts';
import { MODEL } from './job.ts';
import { type Live, measureLive } from './live.ts';
import { formatReport, type Report } from './report.ts';
import { writeRows } from './rows.ts';
import { measureWhole, type Whole } from './whole.ts';

/** Batch jobs on the embedded platform: see load-tests/README.md. Ends with status 1 when a row or a request failed. */

const PARTS = ['whole', 'beside', 'live'] as const;
const SOURCE = resolve(import.meta.dirname, '../../functions/samples/digits/v2.onnx');
/** How many times more rows the larger job has. */
const SCALE = 10;
/** Rows that no job comes to the end of while it is looked at. */
const ENDLESS = 100_000_000;

const values = readOptions({
  parts: { type: 'string', default: PARTS.join(',') },
  rows: { type: 'string', default: '10000000' },
  turns: { type: 'string', default: '7' },
  'turn-seconds': { type: 'string', default: '5' },
  rounds: { type: 'string', default: '7' },
  seconds: { type: 'string', default: '60' },
  out: { type: 'string', default: resultFile('batch') },
});
const parts = choose(PARTS, values.parts, (name) => name);
const rows = countOf('rows', values.rows);
const turns = {
  rounds: countOf('turns', values.turns),
  seconds: countOf('turn-seconds', values['turn-seconds']),
};
const rounds = {
  rounds: countOf('rounds', values.rounds),
  seconds: countOf('seconds', values.seconds),
};

interface Measured {
  readonly whole?: readonly Whole[];
  readonly beside?: readonly Beside[];
  readonly live?: Live;
}

async function main(): Promise<number> {
  const machine = describeMachine();
  const vegeta = await ensureTool('vegeta', say);
  return await withFolder('batch', async (folder) => {
    const small = await makeInput(folder, Math.ceil(rows / SCALE));
    const large = await makeInput(folder, rows);
    const endless = await makeEndless(folder, large);
    const state = join(folder, 'state');
    await mkdir(state);
    const rouse = await startRouse(state, false);
    try {
      const apply = (most: number): Promise<void> => applyDigits(rouse, folder, most);
      await apply(machine.cores);
      const measured = await measure(rouse, folder, {
        ...machine,
        small,
        large,
        endless,
        vegeta,
        apply,
      });
      const versions = { node: process.versions.node, vegeta: await versionOf('vegeta') };
      const report: Report = { ...describeRun('batch', machine, versions), ...measured };
      await writeResult(values.out, report, formatReport(report));
      return countFailed(measured) === 0 ? 0 : 1;
    } finally {
      await rouse.stop();
    }
  });
}

/** `most`: instances, of the model and of each job that is begun from now on. */
async function applyDigits(rouse: Rouse, folder: string, most: number): Promise<void> {
  await applyModel(rouse, folder, MODEL, {
    revision: { runtime: 'onnx', source: SOURCE },
    scaling: { initial: 0, max: most },
    keepAlive: { policy: 'fixed', idle: '10m' },
  });
}

async function makeInput(folder: string, count: number): Promise<string> {
  const path = join(folder, `${count}.parquet`);
  say(`${count} rows are made`);
  await writeRows(path, count);
  return path;
}

/** A folder with the same file many times. */
async function makeEndless(folder: string, file: string): Promise<string> {
  const path = join(folder, 'endless');
  await mkdir(path);
  for (let at = 0; at * rows < ENDLESS; at++) await link(file, join(path, `${at}.parquet`));
  return path;
}

interface Setting {
  readonly small: string;
  readonly large: string;
  readonly endless: string;
  readonly vegeta: string;
  readonly cores: number;
  readonly apply: (most: number) => Promise<void>;
}

async function measure(rouse: Rouse, folder: string, setting: Setting): Promise<Measured> {
  const { small, large, endless, vegeta } = setting;
  const whole: Whole[] = [];
  if (parts.includes('whole')) {
    for (const input of [small, large]) {
      say(`scores ${input}`);
      whole.push(await measureWhole(rouse, folder, input));
    }
  }
  say('in turns');
  return {
    ...(whole.length > 0 && { whole }),
    ...(parts.includes('beside') && { beside: await measureBesides(rouse, folder, setting) }),
    ...(parts.includes('live') && {
      live: await measureLive(rouse, folder, endless, { vegeta, ...rounds }),
    }),
  };
}

/** On as many instances as leave a processor for Rouse, and on as many as a job takes by itself. */
async function measureBesides(
  rouse: Rouse,
  folder: string,
  { endless, cores, apply }: Setting,
): Promise<Beside[]> {
  const besides: Beside[] = [];
  for (const most of new Set([Math.max(1, cores - 1), cores])) {
    await apply(most);
    besides.push(await measureBeside(rouse, folder, endless, { ...turns, cores }));
  }
  return besides;
}

function countFailed({ whole = [], live }: Measured): number {
  return whole.reduce((sum, { failed }) => sum + failed, live?.failed ?? 0);
}

process.exitCode = await main();
