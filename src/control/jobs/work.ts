import type { JobProgress, JobRecord } from '#domain/job.ts';
import type { Write } from '#store/store.ts';
import type { NewEvent } from '../records/journal.ts';
import type { Happening } from './state.ts';

/** What a job of one kind is made of, and does. */
export interface Work<R extends JobRecord> {
  /** What is written with the record of a new one. */
  writesFor(record: R): Write[];
  /** It is Running, and nothing runs for it yet. Throws the Fault that says why nothing can. */
  begin(record: R, desk: Desk): LiveWork;
  /** It has ended: what was made for it goes. Repeatable. */
  tidy(record: R): Promise<void>;
}

/** One that runs. */
export interface LiveWork {
  /** So many seconds have passed. */
  tick(seconds: number): void;
  /** The record with what is known here only; the same record where nothing is. */
  now(record: JobRecord): JobRecord;
  /** Undefined: there is nothing to be shown of it. */
  progress(): JobProgress | undefined;
  /** What it waits for, and cannot do without: room on a node of the cluster. Undefined: nothing. */
  waitsFor(): string | undefined;
  /** An instance has come, changed or gone. */
  onRuntime(): void;
  /** Resolves when it has ended; nothing is told after that. */
  close(): Promise<void>;
}

/** How it tells what happens. */
export interface Desk {
  /** As it is stored. */
  record(): JobRecord | undefined;
  /** False: it could not be stored, or Rouse ends. */
  happened(happening: Happening | Deciding): Promise<boolean>;
  /** Something is to be shown that is not stored. */
  tell(): void;
}

/** Looked at when nobody else changes anything: what has happened then, and what is to be written with it. */
export type Deciding = () => {
  readonly happening: Happening;
  readonly writes: readonly Write[];
  readonly events: readonly NewEvent[];
};

/** To be called now and then: tells when it waits for something else, or for nothing any more. */
export function createWaitNews(
  waitsFor: LiveWork['waitsFor'],
  desk: Pick<Desk, 'tell'>,
): () => void {
  let told: string | undefined;
  return () => {
    const now = waitsFor();
    if (now === told) return;
    told = now;
    desk.tell();
  };
}
