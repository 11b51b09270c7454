import type { FromRunner, RunOrder, RunProgress } from '#domain/job-run.ts';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { FAULTS } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { JobRunner, RunnerProcess } from './job-runner.ts';

/**
 * A job while it is Running: there is a runner, or a timer for the next.
 *
 * 1. There is one runner at a time; the next one starts when the former has ended.
 * 2. What it says last is told once: done, or why nothing will come of it. Nothing is told after `close`.
 */
export interface Run {
  slots(slots: number): void;
  /** As its runner says. */
  waitsFor(): string | undefined;
  /** Resolves when its runner has ended. */
  close(): Promise<void>;
}

export interface RunEvents {
  onProgress(progress: RunProgress): void;
  onDone(report: Extract<FromRunner, { type: 'done' }>['report']): void;
  onFailed(why: string): void;
  /** It ended before it was done, and is started again. */
  onRestart(how: string): void;
}

const FIRST_RESTART_MS = 1000;
const LONGEST_RESTART_MS = 30_000;
/** Ends in a row without a row more on disk: what ends it is in the rows, or in this machine. */
const MOST_ENDS = 5;

export function createRun(options: {
  runner: JobRunner;
  order: RunOrder;
  slots: number;
  events: RunEvents;
  clock: Clock;
  log: Log;
}): Run {
  const { runner, order, events, clock, log } = options;
  let { slots } = options;
  let present: RunnerProcess | undefined;
  let timer: Timer | undefined;
  let closed = false;
  let done = -1;
  let ends = 0;
  /** Why the present one is about to end. */
  let verdict: string | undefined;

  function begin(): void {
    timer = undefined;
    verdict = undefined;
    present = runner.start(order, { onMessage, onEnd });
    present.slots(slots);
  }

  function onMessage(message: FromRunner): void {
    if (closed) return;
    if (message.type === 'progress') {
      if (message.rows.done > done) ends = 0;
      done = Math.max(done, message.rows.done);
      events.onProgress(message);
    } else if (message.type === 'done') {
      closed = true;
      events.onDone(message.report);
    } else if (message.type === 'failed') {
      if (FAULTS[message.code].retryable) verdict = message.message;
      else giveUp(message.message);
    }
  }

  function giveUp(why: string): void {
    closed = true;
    events.onFailed(why);
  }

  function onEnd(how: string): void {
    present = undefined;
    if (closed) return;
    ends++;
    const why = verdict ?? `its runner ${how}`;
    if (ends >= MOST_ENDS) return giveUp(`${why}, ${ends} times without getting further`);
    const ms = backoffMs(ends, FIRST_RESTART_MS, LONGEST_RESTART_MS);
    log.warn({ job: order.id, how: why }, 'the runner of a job ended, and is started again');
    events.onRestart(why);
    timer = clock.after(ms, begin);
  }

  begin();
  return {
    slots(next) {
      slots = next;
      present?.slots(next);
    },
    waitsFor: () => present?.waitsFor?.(),
    async close() {
      closed = true;
      timer?.cancel();
      await present?.end();
    },
  };
}
