import type { ServerMetadata } from '#domain/launch.ts';
import type { ArtifactRef, Inspection } from '#domain/records.ts';
import type { Address, RoutingTarget } from '#domain/routing.ts';
import type { RevisionSpec, RuntimeName } from '#domain/model.ts';

/** All that a runtime needs to know to run a revision; content-addressed, so it can be run again any time. */
export interface Workload {
  /** `namespace/model/revision`. */
  readonly key: string;
  readonly spec: RevisionSpec;
  readonly artifact?: ArtifactRef;
  readonly inspection?: Inspection;
  /** Its revision is not Ready yet: what runs elsewhere must answer once. Others have to become ready anyhow. */
  readonly unproven?: true;
  /** Its processes give way to all others of the machine. */
  readonly priority?: 'low';
}

/** How many instances there shall be. Only the autoscaler calls `want`. */
export interface Wanted {
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  /** Share of an instance's concurrency to aim at, for who counts by itself; ignored where the number is exact. */
  readonly target?: number;
  /**
   * How many may be kept frozen besides; default none. Of those that are too many so many are parked instead
   * of ended, and those that are parked are woken before any is started. Ignored where nothing can be parked.
   */
  readonly parked?: number;
  /** Of this order only: what has to go finishes what it has, however long that takes. Else its drain time is the limit. */
  readonly patient?: true;
  /** Of this order only: ready instances that do not serve any more. Drained, and others take their place. */
  readonly replace?: readonly string[];
}

/**
 * `parking`: like `draining` until `release`, then it is `parked`: frozen, sent nothing, and ready again in a
 * moment when it is wanted.
 */
export type InstanceState = 'starting' | 'ready' | 'parking' | 'parked' | 'draining';

/** How it became ready last: a program of its own was started, one stood by, or it was parked. */
export type InstanceOrigin = 'fresh' | 'pool' | 'parked';

/** A running replica. When it has gone, it is not listed any more; how it ended is a `RuntimeEvent`. */
export interface Instance {
  readonly id: string;
  /** `namespace/model/revision`. */
  readonly revision: string;
  readonly state: InstanceState;
  readonly origin: InstanceOrigin;
  /** Known once it is ready. */
  readonly address: Address | undefined;
  /** What the server said of itself when it became ready; absent when it says nothing that is not known. */
  readonly metadata?: ServerMetadata;
  /**
   * ms since the epoch; 0 = not yet. `startedAt`: its program runs; `readyAt`: it can take requests. All three
   * are set anew when it is woken.
   */
  readonly askedAt: number;
  readonly startedAt: number;
  readonly readyAt: number;
  /** Since when it is parked; 0 = it is not. */
  readonly parkedAt: number;
  /** What outside of it is missing for its start, such as room on a node. */
  readonly waitingFor?: string;
  /** Resident bytes of the whole process group, and its CPU seconds so far; 0 until measured. */
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  /** When these two were measured; absent: never. */
  readonly measuredAt?: number;
}

export type RuntimeEvent =
  /** A new instance, or a change of its state, address or measurements. */
  | { readonly type: 'instance'; readonly instance: Instance }
  /** It ended because it was told to. */
  | { readonly type: 'stopped'; readonly instance: Instance }
  /** It ended by itself, never got ready, or passed its memory limit. */
  | {
      readonly type: 'failed';
      readonly instance: Instance;
      /** "exited with status 3 after 1.2s", "not ready within 60s", … */
      readonly reason: string;
      /** Its last lines of output, oldest first. */
      readonly lastLines: readonly string[];
      /** Failed starts of this revision in a row, this one counted; 0 when it had been ready, or is not to blame. */
      readonly failures: number;
      /** No new start is tried before this (ms since the epoch). */
      readonly retryAt: number;
    };

export interface LogLine {
  readonly at: number;
  readonly instance: string;
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface RuntimeCapabilities {
  /** `want` gives exactly `desired` instances. False: the platform below owns the number within min and max. */
  readonly exactCount: boolean;
  /** Its instances can be parked. False: what an order says of it is ignored. */
  readonly parks: boolean;
}

/** Processes of one kind that are started, have loaded all but a model, and stand by. */
export interface PoolView {
  readonly runtime: RuntimeName;
  readonly starting: number;
  readonly idle: number;
  readonly memoryBytes: number;
  /** Instances that began in one of them; and those that could not, by a fixed word for the reason. */
  readonly hits: number;
  readonly misses: Readonly<Record<string, number>>;
}

/** Processes that stand by, so that an instance need not wait for more than its model. */
export interface RuntimePool {
  /** Kinds to stand by for; others are ended. Idempotent. */
  keep(runtimes: readonly RuntimeName[]): void;
  views(): readonly PoolView[];
}

/** Other ways to instances than Rouse's data plane, which follow a model's split, too. */
export interface RuntimeRoutes {
  /** The keys of models for which there is something. */
  models(): readonly string[];
  /** The keys of revisions for which there is something, with instances or without. */
  revisions(): readonly string[];
  /** Each of its revisions was ready once. Idempotent. */
  route(model: string, targets: readonly RoutingTarget[]): void;
  /** Removes all that was made for a model. Repeatable. */
  forget(model: string): Promise<void>;
}

/** A program that is run to its end. */
export interface Task {
  /** Of runtime `command`. Its key is unique among tasks; what it prints is found under it in the logs. */
  readonly workload: Workload;
  /** Where it runs; absolute. */
  readonly folder: string;
  /** Of its environment, whatever the workload says. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface TaskEnd {
  /** It exited with status 0. */
  readonly ok: boolean;
  /** "exited with status 1 after 0.4s", "used 1.1Gi of memory, its limit is 1Gi", … */
  readonly how: string;
  /** By no doing of its own: it was ended, or what started it has died. */
  readonly isLost: boolean;
  /** Its last lines of output, oldest first. */
  readonly lastLines: readonly string[];
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The most that was seen. */
  readonly memoryBytes: number;
}

/** Programs that are run to their end. They give way to all others of the machine. */
export interface RuntimeTasks {
  /**
   * Runs it once, and resolves when it has ended; what it leaves behind is ended, too. One that runs under the same key is
   * ended before. Throws a Fault that says why it cannot be started.
   */
  run(task: Task): Promise<TaskEnd>;
  /** Kills it. Repeatable. */
  end(key: string): void;
}

/**
 * Runs instances of revisions. Every method is idempotent; everything that it does by itself is told through
 * `onEvent`. An implementation is whatever passes `test/runtime/conformance.ts`.
 */
export interface Runtime {
  readonly capabilities: RuntimeCapabilities;
  /** Absent where there is no such thing. */
  readonly pool?: RuntimePool;
  readonly routes?: RuntimeRoutes;
  readonly tasks?: RuntimeTasks;
  /** Looks into the artifact, in a short-lived process of its own. Throws Fault `invalid` when it is unfit. */
  inspect(workload: Workload): Promise<Inspection>;
  /**
   * Fetches, verifies, builds: all that can be done before a start. Off the request path, repeatable.
   * Throws a Fault that says what is missing.
   */
  prepare(workload: Workload): Promise<void>;
  /**
   * Converges on `wanted`. Resolves when the order is taken, not when it is carried out. A `url` revision is
   * one ready instance from its `prepare` or first `want` on, at no cost, until `max` is 0; while it is unproven
   * it has to answer first.
   */
  want(workload: Workload, wanted: Wanted): Promise<void>;
  /**
   * The data plane holds nothing of this instance any more, and sends it nothing: one that drains may be stopped, one that
   * is being parked frozen, and the memory of a parked one paged out.
   */
  release(instanceId: string): void;
  /** This parked instance has been sent a request: it goes on at once, and is ready until the next order. */
  resume(instanceId: string): void;
  /** All instances of a revision, or of all revisions. */
  instances(revision?: string): readonly Instance[];
  onEvent(listener: (event: RuntimeEvent) => void): void;
  /** The last lines of a revision's instances, oldest first. */
  logs(revision: string, limit: number): Promise<readonly LogLine[]>;
  /** Stops everything: SIGTERM, drain time at most `graceMs`, SIGKILL. */
  close(graceMs: number): Promise<void>;
}
