import type { FaultCode, Problem } from '#lib/fault.ts';
import type { BatchSpec, JobReport, JobRows } from './job.ts';
import type { TensorInfo } from './records.ts';

/**
 * The contract between control, which has a batch, and its runner, a process that scores the rows. A runner that is
 * killed at any moment loses nothing that it told of: the next one goes on from what is on disk.
 */

/** Which shard a process is, as Kubernetes tells the pods of an Indexed Job. */
export const SHARD_INDEX_ENV = 'JOB_COMPLETION_INDEX';
/** The status with which a shard ends that will come to nothing, however often it is tried. */
export const SHARD_HOPELESS = 3;

/** All that a runner has to know. */
export interface RunOrder {
  readonly namespace: string;
  readonly id: string;
  readonly spec: BatchSpec;
  readonly model: RunModel;
  /** Of the job alone: parts, what is fetched, the checkpoint. */
  readonly folder: string;
  /** Where it reads and writes. */
  readonly bounds: RunBounds;
}

export interface RunBounds {
  /** Nothing in there. */
  readonly closed: readonly string[];
  /** In there only; absent: wherever its user can. */
  readonly within?: string;
}

export interface RunModel {
  /** Where its requests go: the V2 address of the model, to which `infer` is added. */
  readonly url: string;
  /** Connections to it begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Whether it takes binary tensors. */
  readonly binary: boolean;
  /** ms that a request may take in all. */
  readonly timeoutMs: number;
}

/** Of one run: everything is told in the first message. */
export type ToRunner =
  | { readonly type: 'run'; readonly order: RunOrder }
  /** Looks whether it can be done, and tries the model with so many rows. */
  | { readonly type: 'check'; readonly order: RunOrder; readonly tryRows: number }
  /** Requests that may be under way at once. */
  | { readonly type: 'slots'; readonly slots: number };

export type FromRunner =
  | RunProgress
  /** So many shards are to be run, by somebody else, as `src/batch/shard.ts`; 0: no more. */
  | { readonly type: 'shards'; readonly count: number }
  | { readonly type: 'checked'; readonly check: RunCheck }
  /** All is written under its final names. */
  | { readonly type: 'done'; readonly report: Omit<JobReport, 'instanceSeconds'> }
  /** Nothing will come of it, however often it is tried. */
  | {
      readonly type: 'failed';
      readonly code: FaultCode;
      readonly message: string;
      readonly problems: readonly Problem[];
    };

export interface RunProgress {
  readonly type: 'progress';
  readonly rows: JobRows;
  /** In all, by samples of the input, while `rows.total` is not known. */
  readonly estimatedRows?: number;
  readonly rowsPerSecond: number;
  readonly batchSize: number;
}

/** What a job would do. */
export interface RunCheck {
  readonly rows?: number;
  /** By samples, where `rows` is not known. */
  readonly estimatedRows?: number;
  readonly bytes: number;
  /** In words: `image FP32 [-1,64] ← p0, p1, …`. */
  readonly mapping: readonly string[];
  readonly columns: readonly string[];
  /** First rows of the output; empty when none were tried. */
  readonly answers: readonly Readonly<Record<string, unknown>>[];
  readonly failures: readonly string[];
  readonly rowsPerSecond?: number;
}
