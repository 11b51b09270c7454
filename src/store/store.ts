import type { JobRecord } from '#domain/job.ts';
import type { MeasureRecord } from '#domain/measures.ts';
import type {
  EventRecord,
  KeyRecord,
  ModelRecord,
  RevisionRecord,
  TombstoneRecord,
  UsageRecord,
} from '#domain/records.ts';
import type { ScheduleRecord } from '#domain/schedule.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';

/** What is kept, by kind. Keys: `namespace/model`, `namespace/model/revision`, a key's id, `tombstoneKey`, `namespace/id`, `namespace/schedule`, `runKey`, any text. */
export interface Records {
  model: ModelRecord;
  revision: RevisionRecord;
  key: KeyRecord;
  tombstone: TombstoneRecord;
  job: JobRecord;
  schedule: ScheduleRecord;
  scheduleRun: ScheduleRun;
  /** Memory of policies and loops, as JSON. */
  memory: Readonly<Record<string, unknown>>;
}
export type Kind = keyof Records;

export interface Stored<K extends Kind> {
  readonly kind: K;
  readonly key: string;
  /** Compare-and-set token, and the `ETag` of the API. Grows over the whole store; never used twice. */
  readonly version: number;
  readonly value: Records[K];
}

/** `expected`: the version it was read at, 0 = must not exist, undefined = whatever is there. */
export type Write<K extends Kind = Kind> = {
  [P in K]: {
    readonly kind: P;
    readonly key: string;
    readonly expected?: number;
    /** undefined: delete. */
    readonly value: Records[P] | undefined;
  };
}[K];

export interface Change {
  readonly version: number;
  readonly kind: Kind;
  readonly key: string;
  readonly deleted: boolean;
}

/** A lease lets one holder act under `name`; a write that carries an outdated token is refused. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** Fencing token: grows each time that the lease changes hands. */
  readonly token: number;
  readonly expiresAt: number;
}

export interface EventQuery {
  readonly namespace?: string;
  readonly model?: string;
  readonly revision?: string;
  readonly type?: string;
  /** Only events with a greater id. */
  readonly after?: number;
  /** Newest first instead of oldest first. */
  readonly newest?: boolean;
  readonly limit: number;
}

export interface UsageQuery {
  readonly namespace: string;
  readonly model: string;
  readonly revision?: string;
  /** Minutes since the epoch, both inclusive. */
  readonly from: number;
  readonly to: number;
}

export interface UsageLogQuery {
  /** Minutes since the epoch, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly namespace?: string;
  /** The last row of the page before. */
  readonly after?: Pick<UsageRecord, 'minute' | 'namespace' | 'model' | 'revision'>;
  readonly limit: number;
}

/** `id`: counts once for its revision and name, however often it comes. */
export type NewMeasure = MeasureRecord & { readonly id?: string };

export interface MeasureQuery {
  readonly namespace: string;
  readonly model: string;
  /** '': measured of the model as a whole. Absent: of that and of all revisions. */
  readonly revision?: string;
  readonly name?: string;
  /** Minutes since the epoch, both inclusive. */
  readonly from: number;
  readonly to: number;
  /** The last row of the page before. */
  readonly after?: Pick<MeasureRecord, 'minute' | 'revision' | 'name'>;
  readonly limit: number;
}

/**
 * The truth. All methods are asynchronous, so that a database on another machine can stand behind them.
 * An implementation is whatever passes `test/store/conformance.ts`.
 */
export interface Store {
  get<K extends Kind>(kind: K, key: string): Promise<Stored<K> | undefined>;
  /** In key order, from after `after`. `prefix` ends with `/` when it names a namespace or a model. */
  list<K extends Kind>(
    kind: K,
    page?: { prefix?: string; after?: string; limit?: number },
  ): Promise<Stored<K>[]>;
  /**
   * All or nothing, durable when it resolves; events are written in the same transaction. Resolves with the
   * new version of each write, in order. Throws Fault `precondition_failed` when an expected version is not
   * the one stored or the fence is outdated, `storage_full` when the disk is, `invalid` and `too_large` when a
   * value does not fit its schema in `#domain/records.ts` or is beyond all measure.
   */
  write(
    writes: readonly Write[],
    options?: { fence?: Lease; events?: readonly Omit<EventRecord, 'id'>[] },
  ): Promise<number[]>;
  /**
   * What has changed since `version`, in order, each key once with its newest version; from 0 all there is
   * (read that without a limit).
   * Only so many deletions are remembered: Fault `precondition_failed` when `version` is older than those,
   * then the reader starts again from 0.
   */
  changes(version: number, limit?: number): Promise<Change[]>;
  /** Takes or renews; undefined while somebody else holds it. `ttlMs` 0 gives it back. */
  lease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  /** Newest or oldest first. The log is capped per model and in all; the oldest go. */
  events(query: EventQuery): Promise<EventRecord[]>;
  /** Adds to what is there for that revision and minute. */
  addUsage(rows: readonly UsageRecord[]): Promise<void>;
  usage(query: UsageQuery): Promise<UsageRecord[]>;
  /** Of all models, in the order of minute, namespace, model and revision. */
  usageLog(query: UsageLogQuery): Promise<UsageRecord[]>;
  /**
   * Adds to what is there for that revision, name and minute; all or nothing. Resolves with the number of those that
   * had come before. Fault `conflict` when a revision would have too many names.
   */
  addMeasures(rows: readonly NewMeasure[]): Promise<number>;
  /** In the order of minute, revision and name. */
  measures(query: MeasureQuery): Promise<MeasureRecord[]>;
  close(): Promise<void>;
}
