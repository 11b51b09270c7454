import { formatTable } from '#lib/table.ts';
import { type ShapeRow, chooseTarget, compareScaling, goodShare, tuneSignals } from './compare.ts';
import { CONCURRENCY, type Outcome } from './run.ts';

/** `npm run simulate:scaling`: see policies/README.md. */

const HEAD = ['shape', 'requests', 'good', 'instance-s', 'good, signals', 'instance-s', 'ratio'];

const SEEDS = [1, 2, 3, 4, 5];

const target = chooseTarget();
const tuned = tuneSignals();
const { rows, total } = compareScaling(target, SEEDS);
process.stdout.write(`${formatTable(HEAD, [...rows, total].map(rowOf))}

By concurrency: ${target * CONCURRENCY} requests at once for each instance, chosen on the shapes for tuning.
There, signals: ${percent(tuned)} of the windows are good, ${seconds(tuned)} instance-seconds.
`);

function rowOf({ shape, byConcurrency, bySignals }: ShapeRow): string[] {
  const ratio = bySignals.instanceSeconds / byConcurrency.instanceSeconds;
  return [
    shape,
    String(bySignals.requests),
    percent(byConcurrency),
    seconds(byConcurrency),
    percent(bySignals),
    seconds(bySignals),
    ratio.toFixed(2),
  ];
}

function percent(outcome: Outcome): string {
  return `${(goodShare(outcome) * 100).toFixed(1)} %`;
}

function seconds({ instanceSeconds }: Outcome): string {
  return instanceSeconds.toFixed(0);
}
