import { backoffMs } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { pause } from '#lib/pause.ts';
import { sliceRows } from '../rows/batches.ts';
import type { ColumnMap } from '../rows/map.ts';
import { unusableRows } from '../rows/pack.ts';
import type { Column, RowBatch } from '../rows/rows.ts';
import { makeInferBody, parseInferAnswer } from './infer.ts';
import { isAlike, joinColumns, pickRows } from './pick.ts';
import type { Sender, Sent } from './sender.ts';

/** What became of the rows of a batch, each of them in one of both. */
export interface Scored {
  readonly batch: RowBatch;
  /** Indices in the batch, rising, of the rows that `columns` has; absent: all of them. */
  readonly rows?: readonly number[];
  /** What the model answered; undefined: no row was scored. */
  readonly columns: readonly Column[] | undefined;
  readonly failed: readonly { readonly row: number; readonly reason: string }[];
}

/** What is counted of requests. */
export interface Tally {
  /** `bytes`: of the request or its answer, whatever is more. `modelMs`: that the model took, where that is known. */
  answered(rows: number, bytes: number, ms: number, modelMs: number | undefined): void;
  retried(): void;
  /** The model did not take a request of so many rows. */
  rejected(rows: number): void;
}

/** Attempts of a batch that the model fails with; of its halves, of which one at most is to blame, one less. */
const ATTEMPTS = 3;
const ATTEMPTS_OF_HALVES = 2;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** Refusals in a row, over all requests, after which a model that cannot start is given up. */
const MOST_FAILED_STARTS = 20;
const OTHERS = 'the model answered other outputs than for the rows before';
const HOPELESS = new Set(['start_failed', 'revision_failed']);

/**
 * Scores batches, so that one bad row costs no other its answer: what the model does not take is halved until the rows
 * stand alone, what it fails with is tried again before that. Throws Fault `unavailable` when the model does not start.
 */
export function createScorer(options: {
  sender: Pick<Sender, 'send'>;
  map: ColumnMap;
  binary: boolean;
  tally: Tally;
  clock: Clock;
  /** From 0 to below 1: pauses of several differ. */
  roll: () => number;
  signal: AbortSignal;
}): (batch: RowBatch) => Promise<Scored> {
  const { sender, map, binary, tally, clock, roll, signal } = options;
  let failedStarts = 0;

  async function wait(attempt: number): Promise<void> {
    const ms = backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    await pause(clock, ms * (0.5 + roll() / 2), signal);
    signal.throwIfAborted();
  }

  function checkStarts(sent: Sent): void {
    if (sent.kind !== 'refused') failedStarts = 0;
    else if (HOPELESS.has(sent.code) && ++failedStarts >= MOST_FAILED_STARTS) {
      throw new Fault('unavailable', `the model cannot be started: ${sent.reason}`);
    }
  }

  /** The columns, or why not. */
  async function ask(rows: RowBatch, attempts: number): Promise<Column[] | string> {
    const body = makeInferBody(rows, map.inputs, binary);
    let failures = 0;
    for (let refusals = 1; ;) {
      signal.throwIfAborted();
      const sent = await sender.send(body);
      checkStarts(sent);
      if (sent.kind === 'rejected') {
        tally.rejected(rows.length);
        return sent.reason;
      }
      if (sent.kind === 'refused') await wait(refusals++);
      else {
        const answer = sent.kind === 'failed' ? sent.reason : readAnswer(sent, rows.length);
        if (typeof answer !== 'string') {
          if (sent.kind === 'answered') {
            const bytes = Math.max(body.bytes, sent.body.length);
            tally.answered(rows.length, bytes, sent.ms, sent.modelMs);
          }
          return answer;
        }
        if (++failures >= attempts) return answer;
        await wait(failures);
      }
      tally.retried();
    }
  }

  async function score(rows: RowBatch, attempts: number): Promise<Piece[]> {
    const answer = await ask(rows, attempts);
    const { length } = rows;
    if (typeof answer !== 'string') return [{ length, columns: answer }];
    if (length === 1) return [{ length, reason: answer }];
    const middle = Math.ceil(length / 2);
    const left = await score(sliceRows(rows, 0, middle), ATTEMPTS_OF_HALVES);
    const right = await score(sliceRows(rows, middle, length), ATTEMPTS_OF_HALVES);
    return [...left, ...right];
  }

  return async (batch) => {
    const unusable = unusableRows(map, batch);
    if (unusable.size === 0) {
      const pieces = await score(batch, ATTEMPTS);
      const [first] = pieces;
      // As nearly all are: no index of a row is made.
      if (first && 'columns' in first && pieces.length === 1) {
        return { batch, columns: first.columns, failed: [] };
      }
      return gather(batch, unusable, indicesOf(batch), pieces);
    }
    const usable = indicesOf(batch).filter((row) => !unusable.has(row));
    const pieces = usable.length === 0 ? [] : await score(pickRows(batch, usable), ATTEMPTS);
    return gather(batch, unusable, usable, pieces);
  };
}

/** Rows that stand one behind the other: scored, or one that failed. */
type Piece =
  | { readonly length: number; readonly columns: readonly Column[] }
  | { readonly length: number; readonly reason: string };

function readAnswer(
  { body, headers }: Extract<Sent, { kind: 'answered' }>,
  rows: number,
): Column[] | string {
  try {
    return parseInferAnswer(body, headers, rows);
  } catch (error) {
    return messageOf(error);
  }
}

function indicesOf({ length }: RowBatch): number[] {
  return Array.from({ length }, (_, row) => row);
}

function gather(
  batch: RowBatch,
  unusable: ReadonlyMap<number, string>,
  usable: readonly number[],
  pieces: readonly Piece[],
): Scored {
  const rows: number[] = [];
  const failed = Array.from(unusable, ([row, reason]) => ({ row, reason }));
  const answers: (readonly Column[])[] = [];
  let at = 0;
  for (const piece of pieces) {
    const own = usable.slice(at, at + piece.length);
    at += piece.length;
    const [first = []] = answers;
    if ('reason' in piece) {
      for (const row of own) failed.push({ row, reason: piece.reason });
    } else if (answers.length === 0 || isAlike(first, piece.columns)) {
      rows.push(...own);
      answers.push(piece.columns);
    } else for (const row of own) failed.push({ row, reason: OTHERS });
  }
  failed.sort((a, b) => a.row - b.row);
  return { batch, rows, columns: joinColumns(answers), failed };
}
