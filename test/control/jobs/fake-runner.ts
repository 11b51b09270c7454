import type { Batch } from '#control/control.ts';
import type { JobRunner, RunnerEvents } from '#control/jobs/job-runner.ts';
import type { RunOrder } from '#domain/job-run.ts';

/** A runner that does what a test says. */
export interface FakeRun {
  readonly order: RunOrder;
  readonly events: RunnerEvents;
  readonly slots: number[];
  readonly isCheck: boolean;
  ended: boolean;
}

export interface FakeRunner extends JobRunner {
  readonly runs: FakeRun[];
  readonly removed: string[];
  /** How many are being removed. */
  clears: number;
  /** Those that score rows and have not ended. */
  living(): FakeRun[];
  /** What a check comes to; undefined: it is fine. */
  refusal: string | undefined;
  /** What is removed of a job stays until this has resolved. */
  clearing: Promise<void>;
}

/** What control needs for jobs. */
export function makeBatch(runner: JobRunner, newId: () => string): Batch {
  const dataPlane = 'http://127.0.0.1:8080';
  const bounds = { closed: ['/data'] };
  return { runner, dataPlane, proxyProtocol: false, bounds, mostShards: 1, cores: 2, newId };
}

export function createFakeRunner(): FakeRunner {
  const runs: FakeRun[] = [];
  const removed: string[] = [];
  const folderOf = (namespace: string, id: string): string => `/jobs/${namespace}/${id}`;
  const runner: FakeRunner = {
    runs,
    removed,
    clears: 0,
    refusal: undefined,
    clearing: Promise.resolve(),
    living: () => runs.filter(({ isCheck, ended }) => !isCheck && !ended),
    folderOf,
    async clear({ namespace, id }) {
      runner.clears++;
      await runner.clearing;
      runner.clears--;
      removed.push(folderOf(namespace, id));
    },
    start(order, events, tryRows) {
      const run: FakeRun = {
        order,
        events,
        slots: [],
        isCheck: tryRows !== undefined,
        ended: false,
      };
      runs.push(run);
      if (run.isCheck) queueMicrotask(() => answerCheck(run, runner.refusal));
      return {
        slots: (slots) => void run.slots.push(slots),
        async end() {
          endRun(run, 'ended by signal SIGKILL');
        },
      };
    },
  };
  return runner;
}

function answerCheck({ events }: FakeRun, refusal: string | undefined): void {
  if (refusal !== undefined) {
    events.onMessage({ type: 'failed', code: 'invalid', message: refusal, problems: [] });
    return;
  }
  const check = { bytes: 1, mapping: [], columns: [], answers: [], failures: [] };
  events.onMessage({ type: 'checked', check });
}

export function endRun(run: FakeRun, how: string): void {
  if (run.ended) return;
  run.ended = true;
  run.events.onEnd(how);
}
