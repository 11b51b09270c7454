import type { BatchRecord } from '#domain/job.ts';
import type { FromRunner, RunOrder } from '#domain/job-run.ts';

/** What scores the rows of a job: a process of its own, so that a reader's memory and crashes are not control's. */
export interface JobRunner {
  /** Begins, or goes on where the last one was. `tryRows`: it only looks, and tries the model with so many rows. */
  start(order: RunOrder, events: RunnerEvents, tryRows?: number): RunnerProcess;
  /** The folder of a job, which it keeps to. */
  folderOf(namespace: string, id: string): string;
  /** Removes all that was made for a job but its output. Repeatable. */
  clear(job: Pick<BatchRecord, 'namespace' | 'id' | 'spec'>): Promise<void>;
}

export interface RunnerEvents {
  onMessage(message: FromRunner): void;
  /** It has ended; once, after its messages. `how`: "ended by signal SIGKILL". */
  onEnd(how: string): void;
}

export interface RunnerProcess {
  slots(slots: number): void;
  /** What those wait for who score its rows; undefined: nothing. Absent: they never wait. */
  readonly waitsFor?: () => string | undefined;
  /** Ends it; what it told of is on disk. Resolves when it has ended. */
  end(): Promise<void>;
}
