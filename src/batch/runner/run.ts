import type { JobReport, JobRows } from '#domain/job.ts';
import { isSharded } from '#domain/batch-rules.ts';
import type { RunOrder, RunProgress } from '#domain/job-run.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { sliceRows } from '../rows/batches.ts';
import type { RowBatch } from '../rows/rows.ts';
import { type Checkpoint, openCheckpoint, type RowRange } from './checkpoint.ts';
import { finish, publishAll, type Written } from './finish.ts';
import { checkFailed } from './limits.ts';
import { createPace, type Pace } from './pace.ts';
import { createParts, type Parts, removeStrayParts } from './parts.ts';
import { checkFresh, checkUnchanged, checkVersion, openPlan, type Plan } from './plan.ts';
import { commonFailure, createReportBook, type Failures } from './report.ts';
import { createScorer, type Scored } from './score.ts';
import { createSender } from './sender.ts';
import { runShards, type ShardsParts } from './shards/run-shards.ts';
import { LARGEST_SIZE } from './sizing.ts';
import { createWindow, type Window } from './window.ts';

interface RunParts {
  readonly clock: Clock;
  readonly roll: () => number;
  readonly tell: (progress: RunProgress) => void;
  /** How many requests may be under way is for somebody else to say. */
  readonly onSlots: (set: (slots: number) => void) => void;
}

type JobParts = RunParts & ShardsParts;

/** Batches that are begun, those included that wait for one before them: within the memory of a runner. */
const roomFor = (slots: number): number => Math.min(Math.max(2 * slots, slots + 4), 64);
const TELL_MS = 500;

type Report = Omit<JobReport, 'instanceSeconds'>;

/**
 * Scores all rows of a job that are not on disk yet, and gives the output its name. Throws a Fault when it cannot be
 * done, or not within its limits. May be killed at any moment and begun again.
 */
export async function runJob(order: RunOrder, parts: JobParts): Promise<Report> {
  const checkpoint = openCheckpoint(order.folder);
  try {
    if (checkpoint.get('publishing') !== true) await scoreAll(order, checkpoint, parts);
    const report = reportOf(checkpoint);
    await publishAll(order, report.rows.failed);
    return report;
  } finally {
    checkpoint.close();
  }
}

function reportOf(checkpoint: Checkpoint): Report {
  const book = createReportBook(checkpoint.get('memory'));
  const rows = checkpoint.get('rows');
  if (rows) return book.report(rows);
  const done = checkpoint.next;
  const failed = checkpoint.parts.reduce((sum, part) => sum + part.failed, 0);
  return book.report({ total: done, done, failed });
}

async function scoreAll(order: RunOrder, checkpoint: Checkpoint, parts: JobParts): Promise<void> {
  const { folder } = order;
  await removeStrayParts(folder, checkpoint.parts);
  const plan = await openPlan(order);
  let written: Written;
  try {
    const before = checkpoint.get('version');
    checkVersion(plan.source, before);
    if (before === undefined) {
      await checkFresh(plan, order);
      checkpoint.set('version', plan.source.version);
    }
    written = isSharded(plan.spec)
      ? await runShards(order, plan, checkpoint, parts)
      : await scoreRows(order, plan, checkpoint, {
          ...parts,
          check: (rows, isAll, failures) =>
            checkFailed(plan.spec, rows, isAll, () => commonFailure(failures)),
        });
  } finally {
    await plan.source.close();
  }
  // What reading took is free by now. What scoring took is garbage, and nothing is made from here on that would have it
  // collected.
  globalThis.gc?.();
  await finish(order.id, plan, written, checkpoint);
}

export interface ScoreParts extends RunParts {
  /** Throws when more have failed than may. `isAll`: there are no more. */
  readonly check: (rows: JobRows, isAll: boolean, failures: Failures) => void;
}

/** Scores those rows, from the first that is in no part to before `past`, that are not on disk yet. */
export async function scoreRows(
  order: Pick<RunOrder, 'folder' | 'model'>,
  plan: Plan,
  checkpoint: Checkpoint,
  parts: ScoreParts,
  past = Infinity,
): Promise<Written> {
  const { folder } = order;
  if (checkpoint.get('complete') !== true) await scoreRest(order, plan, checkpoint, parts, past);
  return {
    parts: checkpoint.parts.map((part) => ({ ...part, folder })),
    columns: checkpoint.get('columns') ?? [],
  };
}

async function scoreRest(
  order: Pick<RunOrder, 'folder' | 'model'>,
  plan: Plan,
  checkpoint: Checkpoint,
  { clock, roll, tell, onSlots, check }: ScoreParts,
  past: number,
): Promise<void> {
  const stop = new AbortController();
  const book = createReportBook(checkpoint.get('memory'));
  const pace = createPace(plan.map.rows ?? plan.spec.batchSize, clock);
  const sender = createSender(order.model, clock);
  const score = createScorer({
    sender,
    map: plan.map,
    binary: order.model.binary,
    tally: {
      answered(rows, bytes, ms, modelMs) {
        book.request(rows, ms);
        if (modelMs !== undefined) pace.answered(rows, bytes, modelMs);
      },
      retried: () => book.retried(),
      rejected: (rows) => pace.rejected(rows),
    },
    clock,
    roll,
    signal: stop.signal,
  });
  const window = createWindow<Scored>(roomFor);
  onSlots((slots) => window.slots(slots));
  const written = createParts({
    checkpoint,
    folder: order.folder,
    output: plan.output,
    kept: plan.kept,
    read: plan.map.reads.length,
    memory: () => book.memory,
    clock,
  });
  const watch = createWatch({
    plan,
    written,
    pace,
    tell,
    check: (rows, isAll) => check(rows, isAll, book.memory.failures),
    clock,
  });
  /** What was read and is not written yet, in order. */
  const lent: RowBatch[] = [];
  try {
    const fed = feed(plan, { first: checkpoint.next, past }, pace, window, score, lent);
    // Who reads the results meets it first, or waits for it below.
    fed.catch(() => {});
    let since = clock.now();
    for await (const scored of window.results()) {
      const now = clock.now();
      book.ran(now - since);
      since = now;
      book.scored(scored);
      await written.add(scored);
      recycleUntil(written.done, lent);
      watch.added();
    }
    await fed;
    await checkUnchanged(plan.source);
    await written.flush();
    watch.ended();
    checkpoint.set('complete', true);
  } finally {
    watch.close();
    stop.abort();
    sender.close();
  }
}

/** Reads ahead as far as the window lets it. */
async function feed(
  { source, map, kept }: Plan,
  { first, past }: RowRange,
  pace: Pace,
  window: Window<Scored>,
  score: (batch: RowBatch) => Promise<Scored>,
  lent: RowBatch[],
): Promise<void> {
  try {
    // A multiple of every size that a fixed pace may have.
    const chunk = pace.size * Math.max(1, Math.floor(LARGEST_SIZE / pace.size));
    for await (const rows of source.read(first, chunk, [...map.reads, ...kept])) {
      lent.push(rows);
      const length = Math.min(rows.length, past - rows.first);
      for (let at = 0; at < length;) {
        const end = Math.min(length, at + pace.size);
        const batch = sliceRows(rows, at, end);
        if (!(await window.begin(() => score(batch)))) return;
        at = end;
      }
      if (length < rows.length) return;
    }
  } finally {
    window.end();
  }
}

/** Rows are written in order: of those before `past` nobody needs anything any more. */
function recycleUntil(past: number, lent: RowBatch[]): void {
  for (let [oldest] = lent; oldest && oldest.first + oldest.length <= past; [oldest] = lent) {
    oldest.recycle?.();
    lent.shift();
  }
}

/** Tells how far it is, and ends a job that has come to its limits. */
function createWatch(options: {
  plan: Plan;
  written: Parts;
  pace: Pace;
  tell: (progress: RunProgress) => void;
  check: (rows: JobRows, isAll: boolean) => void;
  clock: Clock;
}): { added(): void; ended(): void; close(): void } {
  const { written, pace, tell, check, clock } = options;
  const { source } = options.plan;
  const { estimatedRows } = source;
  let told = { at: clock.now(), done: written.done };
  let rowsPerSecond = 0;
  /** What is told next: soon, also when nothing more comes for now. */
  let latest = look(source.rows);
  let timer: Timer | undefined;

  function look(total: number | undefined): JobRows {
    const { done, failed } = written;
    return { ...(total !== undefined && { total }), done, failed };
  }

  function say(): void {
    timer?.cancel();
    timer = undefined;
    const now = clock.now();
    const seconds = (now - told.at) / 1000;
    if (seconds > 0) rowsPerSecond = (latest.done - told.done) / seconds;
    told = { at: now, done: latest.done };
    tell({
      type: 'progress',
      rows: latest,
      ...(estimatedRows !== undefined && { estimatedRows }),
      rowsPerSecond,
      batchSize: pace.size,
    });
  }

  say();
  return {
    added() {
      latest = look(source.rows);
      check(latest, false);
      timer ??= clock.after(Math.max(0, told.at + TELL_MS - clock.now()), say);
    },
    ended() {
      latest = look(written.done);
      check(latest, true);
      say();
    },
    close: () => timer?.cancel(),
  };
}
