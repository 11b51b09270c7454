import type {
  Actor,
  ArtifactRef,
  EventRecord,
  KeyRecord,
  ModelRecord,
  Role,
  UsageRecord,
} from '#domain/records.ts';
import type { Priority } from '#domain/priority.ts';
import type { ModelInput, TrafficTarget } from '#domain/model.ts';
import type { Instance, LogLine } from '#runtime/runtime.ts';
import type { EventQuery, Stored, UsageLogQuery, UsageQuery } from '#store/store.ts';

/** A model with what the API shows beside it. */
export interface ModelView extends Stored<'model'> {
  readonly namespace: string;
  readonly name: string;
  readonly value: ModelRecord;
  readonly revisions: readonly Stored<'revision'>[];
  /** `latest` resolved; empty while nothing is ready. */
  readonly targets: readonly TrafficTarget[];
  /** Asleep: no instance; Awake: one is ready; Waking: starting; Parked: frozen; Preparing: no ready revision; Failed: nor will there be, or what is served does not start. */
  readonly state: 'Asleep' | 'Parked' | 'Waking' | 'Awake' | 'Preparing' | 'Failed';
  readonly instances: readonly Instance[];
}

/** What applying a document did. */
export interface Applied {
  readonly view: ModelView;
  readonly outcome: 'created' | 'changed' | 'unchanged';
  /** Names of the revisions that were made by this call. */
  readonly newRevisions: readonly string[];
}

/**
 * What can be asked of the platform: the API calls these and nothing else. Each takes the actor, checks its
 * role, and records it in the events. `ifMatch` is the version the caller has read (`0`: must not exist);
 * another one stored is Fault `precondition_failed`. Unknown things are Fault `not_found`.
 */
export interface UseCases {
  applyModel(actor: Actor, input: ModelInput, ifMatch?: number): Promise<Applied>;
  getModel(actor: Actor, namespace: string, model: string): Promise<ModelView>;
  listModels(
    actor: Actor,
    namespace: string | undefined,
    page?: { after?: string; limit?: number },
  ): Promise<ModelView[]>;
  deleteModel(actor: Actor, namespace: string, model: string, ifMatch?: number): Promise<void>;
  setTraffic(
    actor: Actor,
    namespace: string,
    model: string,
    targets: readonly TrafficTarget[],
    ifMatch?: number,
  ): Promise<ModelView>;
  /** Only who keeps a model may change it: its Model object in the cluster, or (undefined) who uses the API. */
  setOwner(
    actor: Actor,
    namespace: string,
    model: string,
    owner: ModelRecord['owner'],
  ): Promise<void>;
  getRevision(actor: Actor, key: string): Promise<Stored<'revision'>>;
  /** Refused with Fault `conflict` while traffic or a tag names it. */
  deleteRevision(actor: Actor, key: string, ifMatch?: number): Promise<void>;
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
  /** The secret is `rk_<id>_<random>`, returned here and never again. */
  /** `priority`: the highest that requests with it may have; normal when it is not said. */
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
