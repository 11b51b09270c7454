import type { JobRows } from '#domain/job.ts';
import type { RunOrder, RunProgress } from '#domain/job-run.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { pause } from '#lib/pause.ts';
import { unweave } from '../../rows/weave.ts';
import type { Checkpoint, OutputColumns, RowRange } from '../checkpoint.ts';
import type { Written } from '../finish.ts';
import { checkHopeless, checkMost } from '../limits.ts';
import { formatHeads } from '../parts.ts';
import type { Plan } from '../plan.ts';
import { addFailures, commonFailure, type Failures, mergeMemories } from '../report.ts';
import {
  readStatus,
  shardFolder,
  type ShardResult,
  type ShardStatus,
  writeOrder,
  writeSlots,
} from './files.ts';
import { splitRows } from './split.ts';

/** How often shards are looked at, and told how many slots they have. */
const LOOK_MS = 500;
/** Rows that are counted at once; nothing of them is kept. */
const COUNTED_ROWS = 65_536;

export interface ShardsParts {
  readonly clock: Clock;
  readonly tell: (progress: RunProgress) => void;
  readonly onSlots: (set: (slots: number) => void) => void;
  /** So many shards are to be run; 0: no more. */
  readonly onShards: (count: number) => void;
}

/**
 * The rows of a job, scored by shards: somebody else runs them (`onShards`), this one says which rows each has, adds up
 * how far they are, and ends with the parts of all of them in the order of their rows. Throws a Fault when one of them
 * says that it cannot be done, or too many rows have failed.
 */
export async function runShards(
  order: RunOrder,
  plan: Plan,
  checkpoint: Checkpoint,
  parts: ShardsParts,
): Promise<Written> {
  const { folder } = order;
  const ranges = checkpoint.get('ranges') ?? (await divide(plan, checkpoint));
  await writeOrder(folder, { order, version: plan.source.version, ranges });
  const { results, rows } = await follow(folder, plan, ranges, parts);
  checkpoint.set('memory', mergeMemories(results.map(({ memory }) => memory)));
  checkpoint.set('rows', rows);
  return {
    parts: results.flatMap((result, index) =>
      result.parts.map((part) => ({ ...part, folder: shardFolder(folder, index) })),
    ),
    columns: commonColumns(results),
  };
}

async function divide(plan: Plan, checkpoint: Checkpoint): Promise<readonly RowRange[]> {
  const { source, map, spec } = plan;
  const rows = source.rows ?? (await countRows(plan));
  const ranges = splitRows(rows, spec.shards ?? 1, map.rows ?? spec.batchSize ?? 1);
  checkpoint.set('ranges', ranges);
  return ranges;
}

/** Where counting means reading. */
async function countRows({ source, map }: Plan): Promise<number> {
  let rows = 0;
  for await (const { length } of source.read(0, COUNTED_ROWS, unweave(map.reads).slice(0, 1))) {
    rows += length;
  }
  return rows;
}

interface Followed {
  readonly results: readonly ShardResult[];
  readonly rows: JobRows;
}

async function follow(
  folder: string,
  { spec }: Plan,
  ranges: readonly RowRange[],
  { clock, tell, onSlots, onShards }: ShardsParts,
): Promise<Followed> {
  const total = ranges.at(-1)?.past ?? 0;
  let slots = ranges.length;
  let toldSlots = 0;
  let isAsked = false;
  onSlots((next) => {
    slots = next;
  });
  for (;;) {
    if (slots !== toldSlots) await writeSlots(folder, slots);
    toldSlots = slots;
    const statuses = await Promise.all(ranges.map((_, index) => readStatus(folder, index)));
    checkFailures(statuses);
    const results = statuses.flatMap((status) => status?.result ?? []);
    const isAll = results.length === ranges.length;
    const progress = addUp(statuses, total);
    const why = (): string | undefined => commonFailure(failuresOf(statuses));
    // Until all have begun, it may be the rows of one range only.
    if (statuses.every(hasBegun)) checkHopeless(progress.rows, isAll, why);
    checkMost(spec, progress.rows, isAll, why);
    tell(progress);
    if (isAll) {
      if (isAsked) onShards(0);
      return { results, rows: progress.rows };
    }
    if (!isAsked) onShards(ranges.length);
    isAsked = true;
    await pause(clock, LOOK_MS, new AbortController().signal);
  }
}

function hasBegun(status: ShardStatus | undefined): boolean {
  return (status?.rows.done ?? 0) > 0;
}

function failuresOf(statuses: readonly (ShardStatus | undefined)[]): Failures {
  return addFailures(statuses.map((status) => status?.failures ?? {}));
}

function checkFailures(statuses: readonly (ShardStatus | undefined)[]): void {
  for (const [index, status] of statuses.entries()) {
    if (!status?.failure) continue;
    const { code, message, problems } = status.failure;
    throw new Fault(code, `shard ${index}: ${message}`, { problems });
  }
}

function addUp(statuses: readonly (ShardStatus | undefined)[], total: number): RunProgress {
  const sum = (of: (status: ShardStatus) => number): number =>
    statuses.reduce((all, status) => all + (status ? of(status) : 0), 0);
  return {
    type: 'progress',
    rows: { total, done: sum(({ rows }) => rows.done), failed: sum(({ rows }) => rows.failed) },
    rowsPerSecond: sum(({ rowsPerSecond }) => rowsPerSecond),
    batchSize: Math.max(1, ...statuses.map((status) => status?.batchSize ?? 1)),
  };
}

/** Of one output all parts have the same. */
function commonColumns(results: readonly ShardResult[]): OutputColumns {
  const [first = [], ...others] = results.flatMap(({ columns }) => (columns ? [columns] : []));
  const other = others.find((columns) => JSON.stringify(columns) !== JSON.stringify(first));
  if (!other) return first;
  throw new Fault(
    'bad_upstream',
    `the model answered ${formatHeads(other)}, and in another shard ${formatHeads(first)}`,
  );
}
