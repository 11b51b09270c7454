import type {
  Actor,
  ArtifactRef,
  EventRecord,
  KeyRecord,
  ModelRecord,
  Role,
  UsageRecord,
} from '#domain/records.ts';
import type { AsyncRequest, Delivery } from '#domain/async-request.ts';
import type { JobAction, JobRequest } from '#domain/job.ts';
import type { RunCheck } from '#domain/job-run.ts';
import type { Measure, MeasureRecord } from '#domain/measures.ts';
import type { Priority } from '#domain/priority.ts';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import type { RolloutAction, RolloutRecord } from '#domain/rollout.ts';
import type { RoutingShadow } from '#domain/routing.ts';
import type { ScheduleInput } from '#domain/schedule.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import type { RolloutView } from '#domain/views.ts';
import type { SelectionRequest, SelectionView } from '#domain/selection.ts';
import type { Instance, LogLine } from '#runtime/runtime.ts';
import type { DeliveryQueue, RequestQuery, StoredAnswer } from '#store/requests/requests.ts';
import type { EventQuery, MeasureQuery, Stored, UsageLogQuery, UsageQuery } from '#store/store.ts';
import type { JobShown } from '../jobs/jobs.ts';
import type { Collected, Retained } from '../retention/retention.ts';
import type { AppliedSchedule, ScheduleShown } from '../schedules/scheduler.ts';
import type { Attempt } from './artifact-keys.ts';

/** A model with what the API shows beside it. */
export interface ModelView extends Stored<'model'> {
  readonly namespace: string;
  readonly name: string;
  readonly value: ModelRecord;
  readonly revisions: readonly Stored<'revision'>[];
  /** `latest` resolved; empty while nothing is ready. */
  readonly targets: readonly TrafficTarget[];
  /** Who gets copies of requests now; absent: nobody. */
  readonly shadow?: RoutingShadow;
  /** Asleep: no instance; Awake: one is ready; Waking: starting; Parked: frozen; Preparing: no ready revision; Failed: nor will there be, or what is served does not start. */
  readonly state: 'Asleep' | 'Parked' | 'Waking' | 'Awake' | 'Preparing' | 'Failed';
  readonly instances: readonly Instance[];
  /** Whether it goes when nobody asks for it. */
  readonly retention: Retained;
  /** The last one, if there was any. */
  readonly rollout: RolloutRecord | undefined;
  /** Absent: traffic is as it was written. */
  readonly selection?: SelectionView;
}

/** What applying a document did. */
export interface Applied {
  readonly view: ModelView;
  readonly outcome: 'created' | 'changed' | 'unchanged';
  /** Names of the revisions that were made by this call. */
  readonly newRevisions: readonly string[];
}

/** Where a page of a list begins, and how long it may be. */
export interface Page {
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

export interface ModelPage extends Page {
  /** Those that belong to jobs, too. */
  readonly ofJobs?: boolean | undefined;
}

export interface Deletion {
  readonly ifMatch?: number | undefined;
  /** It cannot be restored. */
  readonly now?: boolean;
}

/** What was deleted and can be restored. */
export interface DeletedView {
  /** `namespace/model/time`. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly deletedAt: number;
  readonly deletedBy: string;
  readonly why: string;
  readonly restorableUntil: number;
  /** The model; false: these revisions of it. */
  readonly whole: boolean;
  readonly revisions: readonly string[];
}

export interface CollectionPlan {
  readonly rows: readonly CollectionRow[];
  /** The last model of these; absent: there are no more. */
  readonly next?: string;
}

/** What becomes of it when it is looked at next. */
export interface CollectionRow extends Collected {
  readonly keep: boolean;
  /** When it goes if nobody asks for it until then. */
  readonly goesAt?: number;
  readonly bytes?: number;
}

/**
 * What can be asked of the platform: the API calls these and nothing else. Each takes the actor, checks its
 * role, and records it in the events. `ifMatch` is the version the caller has read (`0`: must not exist);
 * another one stored is Fault `precondition_failed`. Unknown things are Fault `not_found`.
 */
export interface UseCases {
  applyModel(actor: Actor, input: ModelInput, ifMatch?: number): Promise<Applied>;
  getModel(actor: Actor, namespace: string, model: string): Promise<ModelView>;
  listModels(actor: Actor, namespace: string | undefined, page?: ModelPage): Promise<ModelView[]>;
  /** It can be restored for as long as its retention says. */
  deleteModel(actor: Actor, namespace: string, model: string, options?: Deletion): Promise<void>;
  setTraffic(
    actor: Actor,
    namespace: string,
    model: string,
    targets: readonly TrafficTarget[],
    ifMatch?: number,
  ): Promise<ModelView>;
  /** Fault `not_found` when there was none. */
  getRollout(actor: Actor, namespace: string, model: string): Promise<RolloutView>;
  /** Fault `conflict` when it cannot be done now. */
  actOnRollout(
    actor: Actor,
    namespace: string,
    model: string,
    action: RolloutAction,
  ): Promise<RolloutView>;
  /** Only who keeps a model may change it: its Model object in the cluster, or (undefined) who uses the API. */
  setOwner(
    actor: Actor,
    namespace: string,
    model: string,
    owner: ModelRecord['owner'],
  ): Promise<void>;
  getRevision(actor: Actor, key: string): Promise<Stored<'revision'>>;
  /** Refused with Fault `conflict` while traffic or a tag names it. */
  deleteRevision(actor: Actor, key: string, options?: Deletion): Promise<void>;
  /**
   * What was deleted last under this name, with the revisions it had. Fault `conflict` where the name is in use again
   * or its addresses are.
   */
  restoreModel(actor: Actor, namespace: string, model: string): Promise<ModelView>;
  /** One that was deleted by itself. */
  restoreRevision(actor: Actor, key: string): Promise<ModelView>;
  /** What can be restored, in the order of `id`. */
  listDeleted(actor: Actor, namespace: string | undefined, page?: Page): Promise<DeletedView[]>;
  /** What would be cleared away now, and what stays, and why: rows of so many models. */
  planCollection(actor: Actor, namespace: string | undefined, page?: Page): Promise<CollectionPlan>;
  /** Clears away now what may go; without a namespace also content, and what could be restored. */
  collect(actor: Actor, namespace: string | undefined): Promise<Collected[]>;
  logs(actor: Actor, namespace: string, model: string, limit: number): Promise<LogLine[]>;
  events(actor: Actor, query: EventQuery): Promise<EventRecord[]>;
  /** Calls back for each new event that fits, until the signal. */
  watchEvents(
    actor: Actor,
    query: Omit<EventQuery, 'limit' | 'newest'>,
    listener: (event: EventRecord) => void,
    signal: AbortSignal,
  ): void;
  usage(actor: Actor, query: UsageQuery): Promise<UsageRecord[]>;
  /** Of all models, in the order of time. */
  usageLog(actor: Actor, query: UsageLogQuery): Promise<UsageRecord[]>;
  /** All or nothing. `repeated`: of so many the id had come before, and they do not count again. */
  addMeasures(
    actor: Actor,
    namespace: string,
    model: string,
    measures: readonly Measure[],
  ): Promise<{ added: number; repeated: number }>;
  measures(actor: Actor, query: MeasureQuery): Promise<MeasureRecord[]>;
  /** Fault `conflict`: the model file has no selection. */
  getSelection(actor: Actor, namespace: string, model: string): Promise<SelectionView>;
  select(
    actor: Actor,
    namespace: string,
    model: string,
    wanted: SelectionRequest,
  ): Promise<SelectionView>;
  /**
   * It is looked at first: what cannot be done is refused with all that is wrong. `id`: when there is a job of this id, it
   * is the one that was asked for.
   */
  createJob(actor: Actor, namespace: string, request: JobRequest, id?: string): Promise<JobShown>;
  /** What it would do, with its first answers; nothing is written. */
  tryJob(actor: Actor, namespace: string, request: JobRequest): Promise<RunCheck>;
  getJob(actor: Actor, namespace: string, id: string): Promise<JobShown>;
  listJobs(actor: Actor, namespace: string | undefined, page?: Page): Promise<JobShown[]>;
  /** Fault `conflict` when it has ended. */
  actOnJob(actor: Actor, namespace: string, id: string, action: JobAction): Promise<JobShown>;
  /** Fault `conflict` when it has not ended. */
  deleteJob(actor: Actor, namespace: string, id: string): Promise<void>;
  /** The last lines that its program wrote. Fault `conflict`: it is a batch. */
  jobLogs(actor: Actor, namespace: string, id: string, limit: number): Promise<readonly LogLine[]>;
  /**
   * What the program of a job has left, a folder, as `#lib/folder-stream.ts` says. `key`: see `ArtifactKeys`. Fault
   * `unauthorized`, `not_found`, or `conflict`: another attempt runs, or none.
   */
  takeOutput(
    key: string,
    attempt: Attempt,
    content: AsyncIterable<Uint8Array>,
  ): Promise<ArtifactRef>;
  /** Calls back when something of it may have changed, until the signal. */
  watchJob(
    actor: Actor,
    namespace: string,
    id: string,
    listener: () => void,
    signal: AbortSignal,
  ): void;
  /** Fault `precondition_failed`, `conflict` (there are too many). */
  applySchedule(actor: Actor, input: ScheduleInput, ifMatch?: number): Promise<AppliedSchedule>;
  getSchedule(actor: Actor, namespace: string, schedule: string): Promise<ScheduleShown>;
  listSchedules(actor: Actor, namespace: string | undefined, page?: Page): Promise<ScheduleShown[]>;
  /** With its runs. Jobs that it began go on. */
  deleteSchedule(
    actor: Actor,
    namespace: string,
    schedule: string,
    ifMatch?: number,
  ): Promise<void>;
  /** One run at once, though it be suspended. Fault `conflict` where none may run beside those that do. */
  runSchedule(actor: Actor, namespace: string, schedule: string): Promise<ScheduleRun>;
  /** Newest first. */
  listRuns(actor: Actor, namespace: string, schedule: string): Promise<ScheduleRun[]>;
  statArtifact(actor: Actor, digest: string): Promise<ArtifactRef | undefined>;
  /**
   * The bytes of a file, or of a folder as `#lib/folder-stream.ts` says. `key`: see `ArtifactKeys`. Fault
   * `unauthorized`, or `not_found`.
   */
  readArtifact(key: string, digest: string): Promise<AsyncIterable<Uint8Array>>;
  putArtifact(
    actor: Actor,
    digest: string,
    content: AsyncIterable<Uint8Array>,
    options: { name: string; kind: ArtifactRef['kind'] },
  ): Promise<ArtifactRef>;
  /** Newest first. */
  listRequests(actor: Actor, query: RequestQuery): Promise<AsyncRequest[]>;
  getRequest(actor: Actor, namespace: string, id: string): Promise<AsyncRequest>;
  /** Fault `conflict` when there is none, or none yet; `forbidden` for who did not make it and is no admin. */
  getRequestAnswer(actor: Actor, namespace: string, id: string): Promise<StoredAnswer>;
  /** Nothing changes when it has ended. */
  cancelRequest(actor: Actor, namespace: string, id: string): Promise<AsyncRequest>;
  /** What webhooks were sent, in the order of ids. */
  listDeliveries(actor: Actor, query: Parameters<DeliveryQueue['list']>[0]): Promise<Delivery[]>;
  /** Fault `conflict` when it was not given up. */
  replayDelivery(actor: Actor, namespace: string, id: string): Promise<Delivery>;
  /** What webhooks of a namespace are signed with. */
  webhookSecret(actor: Actor, namespace: string): Promise<string>;
  /**
   * The secret is `rk_<id>_<random>`, returned here and never again. `priority`: the highest that requests with it may
   * have; normal when it is not said.
   */
  createKey(
    actor: Actor,
    role: Role,
    note: string,
    priority?: Priority,
  ): Promise<{ key: KeyRecord; secret: string }>;
  listKeys(actor: Actor): Promise<KeyRecord[]>;
  deleteKey(actor: Actor, id: string): Promise<void>;
  /** The actor behind a secret, compared in constant time. */
  authenticate(secret: string): Promise<Actor | undefined>;
}
