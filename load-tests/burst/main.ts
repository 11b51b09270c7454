import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { choose, resultFile, say, writeResult } from '../measure/results.ts';
import { versionOf } from '../peers/tools.ts';
import { measureHeld } from './held.ts';
import { measureLoop } from './loop.ts';
import { countFailed, formatReport, type Report } from './report.ts';
import { measureSurge } from './surge.ts';
import { measureSwap } from './swap.ts';

/** Many requests at once for what sleeps: see load-tests/README.md. Ends with status 1 when a request is lost. */

const PARTS = ['held', 'surge', 'loop', 'swap'] as const;
const values = readOptions({
  parts: { type: 'string', default: PARTS.join(',') },
  requests: { type: 'string', default: '10000' },
  seconds: { type: 'string', default: '10' },
  models: { type: 'string', default: '500' },
  out: { type: 'string', default: resultFile('burst') },
});
const [requests, seconds, models] = [
  countOf('requests', values.requests),
  countOf('seconds', values.seconds),
  countOf('models', values.models),
];
const parts = choose(PARTS, values.parts, (name) => name);

async function main(): Promise<number> {
  const machine = describeMachine();
  return await withFolder('burst', async (folder) => {
    const report: Report = {
      ...describeRun('burst', machine, {
        node: process.versions.node,
        vegeta: await versionOf('vegeta'),
      }),
      ...(parts.includes('held') && {
        held: await measureHeld(folder, requests),
      }),
      ...(parts.includes('surge') && {
        surge: await measureSurge(folder, seconds, say),
      }),
      ...(parts.includes('loop') && {
        loop: await measureLoop(folder, models),
      }),
      ...(parts.includes('swap') && {
        swap: await measureSwap(folder),
      }),
    };
    await writeResult(values.out, report, formatReport(report));
    const { held, surge, swap } = report;
    const told = [held?.lost, held?.disorder, surge?.errors, swap?.lost].flatMap(
      (all) => all ?? [],
    );
    for (const line of told.slice(0, 10)) say(line);
    return countFailed(report) === 0 ? 0 : 1;
  });
}

process.exitCode = await main();
