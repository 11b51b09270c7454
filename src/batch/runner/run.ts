import type { BatchSpec, JobReport, JobRows } from '#domain/job.ts';
import { mostFailed } from '#domain/job.ts';
import type { RunOrder, RunProgress } from '#domain/job-run.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { sliceRows } from '../rows/batches.ts';
import type { RowBatch } from '../rows/rows.ts';
import { type Checkpoint, openCheckpoint } from './checkpoint.ts';
import { finish, publishAll } from './finish.ts';
import { createPace, type Pace } from './pace.ts';
import { createParts, type Parts, removeStrayParts } from './parts.ts';
import { checkFresh, checkVersion, openPlan, type Plan } from './plan.ts';
import { createReportBook } from './report.ts';
import { createScorer, type Scored } from './score.ts';
import { createSender } from './sender.ts';
import { LARGEST_SIZE } from './sizing.ts';
import { createWindow, type Window } from './window.ts';

export interface RunParts {
  readonly clock: Clock;
  readonly roll: () => number;
  readonly tell: (progress: RunProgress) => void;
  /** How many requests may be under way is for somebody else to say. */
  readonly onSlots: (set: (slots: number) => void) => void;
}

/** Batches that are begun, those included that wait for one before them: within the memory of a runner. */
const roomFor = (slots: number): number => Math.min(Math.max(2 * slots, slots + 4), 64);
const TELL_MS = 500;
/** When none of so many could be scored, all others will fail, too. */
const HOPELESS_ROWS = 100;
/** Of fewer rows a share says little. */
const LEAST_OF_SHARE = 1000;

type Report = Omit<JobReport, 'instanceSeconds'>;

/**
 * Scores all rows of a job that are not on disk yet, and gives the output its name. Throws a Fault when it cannot be
 * done, or not within its limits. May be killed at any moment and begun again.
 */
export async function runJob(order: RunOrder, parts: RunParts): Promise<Report> {
  const checkpoint = openCheckpoint(order.folder);
  try {
    if (checkpoint.get('publishing') !== true) await scoreAll(order, checkpoint, parts);
    await publishAll(order);
    return reportOf(checkpoint);
  } finally {
    checkpoint.close();
  }
}

function reportOf(checkpoint: Checkpoint): Report {
  const done = checkpoint.next;
  const failed = checkpoint.parts.reduce((sum, part) => sum + part.failed, 0);
  const book = createReportBook(checkpoint.get('memory'));
  return book.report({ total: done, done, failed });
}

async function scoreAll(order: RunOrder, checkpoint: Checkpoint, parts: RunParts): Promise<void> {
  await removeStrayParts(order.folder, checkpoint.parts);
  const plan = await openPlan(order);
  try {
    const before = checkpoint.get('version');
    checkVersion(plan.source, before);
    if (before === undefined) {
      await checkFresh(plan, order);
      checkpoint.set('version', plan.source.version);
    }
    if (checkpoint.get('complete') !== true) await scoreRows(order, plan, checkpoint, parts);
    await finish(order, plan, checkpoint);
  } finally {
    await plan.source.close();
  }
}

async function scoreRows(
  order: RunOrder,
  plan: Plan,
  checkpoint: Checkpoint,
  { clock, roll, tell, onSlots }: RunParts,
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
  const watch = createWatch({ plan, written, pace, tell, clock });
  try {
    const fed = feed(plan, checkpoint.next, pace, window, score);
    // Who reads the results meets it first, or waits for it below.
    fed.catch(() => {});
    let since = clock.now();
    for await (const scored of window.results()) {
      const now = clock.now();
      book.ran(now - since);
      since = now;
      book.scored(scored);
      await written.add(scored);
      watch.added();
    }
    await fed;
    await written.flush();
    watch.ended();
    checkpoint.set('complete', true);
  } finally {
    stop.abort();
    sender.close();
  }
}

/** Reads ahead as far as the window lets it. */
async function feed(
  { source, map, kept }: Plan,
  from: number,
  pace: Pace,
  window: Window<Scored>,
  score: (batch: RowBatch) => Promise<Scored>,
): Promise<void> {
  try {
    // A multiple of every size that a fixed pace may have.
    const chunk = pace.size * Math.max(1, Math.floor(LARGEST_SIZE / pace.size));
    for await (const rows of source.read(from, chunk, [...map.reads, ...kept])) {
      for (let at = 0; at < rows.length;) {
        const end = Math.min(rows.length, at + pace.size);
        const batch = sliceRows(rows, at, end);
        if (!(await window.begin(() => score(batch)))) return;
        at = end;
      }
    }
  } finally {
    window.end();
  }
}

/** Tells how far it is, and ends a job that has come to its limits. */
function createWatch(options: {
  plan: Plan;
  written: Parts;
  pace: Pace;
  tell: (progress: RunProgress) => void;
  clock: Clock;
}): { added(): void; ended(): void } {
  const { plan, written, pace, tell, clock } = options;
  const { spec, source } = plan;
  let told = { at: clock.now(), done: written.done };
  let rowsPerSecond = 0;

  function say(rows: JobRows): void {
    const now = clock.now();
    const seconds = (now - told.at) / 1000;
    if (seconds > 0) rowsPerSecond = (rows.done - told.done) / seconds;
    told = { at: now, done: rows.done };
    tell({ type: 'progress', rows, rowsPerSecond, batchSize: pace.size });
  }

  function look(total: number | undefined, isAll: boolean): void {
    const { done, failed } = written;
    const rows = { ...(total !== undefined && { total }), done, failed };
    checkFailed(spec, rows, isAll);
    if (isAll || clock.now() - told.at >= TELL_MS) say(rows);
  }

  say({
    ...(source.rows !== undefined && { total: source.rows }),
    done: told.done,
    failed: written.failed,
  });
  return {
    added: () => look(source.rows, false),
    ended: () => look(written.done, true),
  };
}

function checkFailed({ maxFailed }: BatchSpec, rows: JobRows, isAll: boolean): void {
  const { total, done, failed } = rows;
  if (failed === done && (done >= HOPELESS_ROWS || (isAll && done > 0))) {
    throw new Fault('invalid', `none of the first ${done} rows could be scored`);
  }
  if (!isAll && total === undefined && done < LEAST_OF_SHARE && maxFailed?.endsWith('%')) return;
  const most = mostFailed(maxFailed, total ?? done);
  if (failed <= most) return;
  throw new Fault('invalid', `${failed} of ${done} rows have failed, at most ${maxFailed} may`);
}
