import type { JobRows } from '#domain/job.ts';
import type { RunProgress } from '#domain/job-run.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { createLoop } from '#lib/loop.ts';
import { openCheckpoint, type RowRange } from './checkpoint.ts';
import { removeStrayParts } from './parts.ts';
import { checkVersion, openPlan } from './plan.ts';
import { createReportBook, type Failures } from './report.ts';
import { type ScoreParts, scoreRows } from './run.ts';
import { readOrder, readSlots, shardFolder, writeStatus } from './shards/files.ts';
import { slotsOfShard } from './shards/split.ts';

/** How often it says how far it is, and looks how many slots it has. */
const TICK_MS = 500;

interface ShardParts {
  readonly clock: Clock;
  readonly roll: () => number;
  readonly onError: (error: unknown) => void;
}

/**
 * Scores the rows of one shard that are not on disk yet, and leaves its result in the job's folder. Throws a Fault when
 * it cannot be done. May be killed at any moment and begun again, also while the one before dies.
 */
export async function runShard(folder: string, index: number, parts: ShardParts): Promise<void> {
  const { clock, roll, onError } = parts;
  const told = await readOrder(folder);
  const range = told?.ranges[index];
  if (!told || !range) throw new Fault('not_found', `${folder} has no order for shard ${index}`);
  const { order, version, ranges } = told;
  const own = shardFolder(folder, index);
  const checkpoint = openCheckpoint(own, range.first);
  const reports = createReports({ folder, index, shards: ranges.length, range, clock, onError });
  try {
    await removeStrayParts(own, checkpoint.parts);
    const plan = await openPlan(order);
    try {
      checkVersion(plan.source, version);
      const { model } = order;
      const { tell, onSlots, check } = reports;
      const all = { clock, roll, tell, onSlots, check };
      await scoreRows({ folder: own, model }, plan, checkpoint, all, range.past);
    } finally {
      await plan.source.close();
    }
    await reports.close();
    const failed = checkpoint.parts.reduce((sum, part) => sum + part.failed, 0);
    const book = createReportBook(checkpoint.get('memory'));
    await writeStatus(folder, index, {
      rows: { done: range.past - range.first, failed },
      rowsPerSecond: 0,
      batchSize: 1,
      failures: book.memory.failures,
      result: {
        parts: checkpoint.parts,
        columns: checkpoint.get('columns'),
        memory: book.memory,
      },
    });
  } finally {
    await reports.close();
    checkpoint.close();
  }
}

interface Reports {
  readonly tell: (progress: RunProgress) => void;
  readonly onSlots: (set: (slots: number) => void) => void;
  /** How many rows may fail is said of all shards together. */
  readonly check: ScoreParts['check'];
  close(): Promise<void>;
}

/** Says how far it is, and hears how many slots it has. */
function createReports(options: {
  folder: string;
  index: number;
  shards: number;
  range: RowRange;
  clock: Clock;
  onError: (error: unknown) => void;
}): Reports {
  const { folder, index, shards, range, clock, onError } = options;
  let setSlots: ((slots: number) => void) | undefined;
  /** Not written yet. */
  let news: RunProgress | undefined;
  let failures: Failures = {};

  async function step(): Promise<void> {
    const slots = await readSlots(folder);
    if (slots !== undefined) setSlots?.(slotsOfShard(slots, shards, index));
    if (!news) return;
    const { rows, rowsPerSecond, batchSize } = news;
    news = undefined;
    const progress = { rows: ownRows(rows), rowsPerSecond, batchSize };
    await writeStatus(folder, index, { ...progress, failures });
  }

  /** Rows are numbered over the whole input. */
  function ownRows({ done, failed }: JobRows): JobRows {
    return { done: done - range.first, failed };
  }

  const loop = createLoop({ clock, everyMs: TICK_MS, step, onError });
  return {
    tell: (progress) => void (news = progress),
    check: (_rows, _isAll, own) => void (failures = own),
    onSlots(set) {
      setSlots = set;
      loop.ask();
    },
    close: () => loop.close(),
  };
}
