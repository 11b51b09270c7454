import type { RunCheck, RunOrder } from '#domain/job-run.ts';
import type { Clock } from '#lib/clock.ts';
import { rowOf } from '../rows/batches.ts';
import { formatType } from '../rows/cast.ts';
import type { MappedInput } from '../rows/map.ts';
import type { RowBatch, RowSource } from '../rows/rows.ts';
import { makeOutputColumns, makeOutputRows } from './output.ts';
import { checkFresh, openPlan, type Plan } from './plan.ts';
import { createScorer, type Scored } from './score.ts';
import { createSender } from './sender.ts';

/** More columns than these nobody reads. */
const SHOWN_COLUMNS = 6;
/** Tried at once, to tell how long all will take. */
const SAMPLE_ROWS = 256;

interface CheckParts {
  readonly clock: Clock;
  readonly roll: () => number;
  readonly tryRows: number;
}

/** Looks whether a job can be done, and scores its first rows, `tryRows` of them. Throws the Fault that it would meet. */
export async function checkOrder(order: RunOrder, parts: CheckParts): Promise<RunCheck> {
  const plan = await openPlan(order);
  try {
    await checkFresh(plan, order);
    const { source, map, spec } = plan;
    const about = {
      ...knownRows(source),
      bytes: source.bytes,
      mapping: map.inputs.map((input) => formatInput(input, plan)),
      columns: spec.output.columns,
      answers: [],
      failures: [],
    };
    return parts.tryRows === 0 ? about : { ...about, ...(await tryRows(order, plan, parts)) };
  } finally {
    await plan.source.close();
  }
}

function knownRows({ rows, estimatedRows }: RowSource): Pick<RunCheck, 'rows' | 'estimatedRows'> {
  if (rows !== undefined) return { rows };
  return estimatedRows === undefined ? {} : { estimatedRows };
}

async function tryRows(
  order: RunOrder,
  plan: Plan,
  { clock, roll, tryRows: count }: CheckParts,
): Promise<Pick<RunCheck, 'answers' | 'failures' | 'rowsPerSecond'>> {
  const sender = createSender(order.model, clock);
  const score = createScorer({
    sender,
    map: plan.map,
    binary: order.model.binary,
    tally: { answered: () => {}, retried: () => {}, rejected: () => {} },
    clock,
    roll,
    signal: new AbortController().signal,
  });
  try {
    const first = await readFirst(plan, plan.map.rows ?? count);
    const scored = await score(first);
    // How long it takes to fail says nothing of all others.
    if (!scored.columns) return showScored(plan, scored);
    const sample = await readFirst(plan, plan.map.rows ?? SAMPLE_ROWS);
    const begun = clock.now();
    await score(sample);
    const seconds = (clock.now() - begun) / 1000;
    return { ...showScored(plan, scored), rowsPerSecond: sample.length / Math.max(seconds, 1e-6) };
  } finally {
    sender.close();
  }
}

async function readFirst({ source, map, kept }: Plan, count: number): Promise<RowBatch> {
  for await (const rows of source.read(0, count, [...map.reads, ...kept])) return rows;
  return { first: 0, length: 0, columns: [] };
}

function showScored({ map, kept }: Plan, scored: Scored): Pick<RunCheck, 'answers' | 'failures'> {
  const { batch, columns = [], failed } = scored;
  const output = makeOutputRows(scored, makeOutputColumns(kept, columns), map.reads.length);
  return {
    answers: Array.from({ length: output.length }, (_, index) => rowOf(output, index)),
    failures: failed.map(({ row, reason }) => `row ${batch.first + row}: ${reason}`),
  };
}

/** `image FP32 [?, 64] ← p0, p1, … (64 columns)`. */
function formatInput({ name, datatype, shape, column }: MappedInput, { map }: Plan): string {
  const head = map.reads[column];
  const names = head?.of ?? [head?.name];
  const shown = names.slice(0, SHOWN_COLUMNS).join(', ');
  const more = names.length > SHOWN_COLUMNS ? `, … (${names.length} columns)` : '';
  const whole = head && !head.of ? ` ${formatType(head)}` : '';
  return `${name} ${datatype} [${['?', ...shape].join(', ')}] ← ${shown}${more}${whole}`;
}
