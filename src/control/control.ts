import type { NamespaceBudget } from '#domain/budgets.ts';
import type { RunBounds } from '#domain/job-run.ts';
import { modelKey, modelOf } from '#domain/names.ts';
import type { RetentionDefaults } from '#domain/retention.ts';
import { taskOf } from '#domain/schedule.ts';
import type { Clock } from '#lib/clock.ts';
import { callEach } from '#lib/listeners.ts';
import type { Log } from '#lib/log.ts';
import { mergeMetrics } from '#lib/prometheus.ts';
import { highest } from '#policies/desired.ts';
import type { Runtime, RuntimeEvent } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { ArtifactKeys } from './usecases/artifact-keys.ts';
import type { Store } from '#store/store.ts';
import { createAutoscaler } from './autoscaling/autoscaler.ts';
import { createBudget } from './budget.ts';
import { loadCatalog } from './records/catalog.ts';
import { followDataPlanes, type OnProcesses } from './data-planes/data-planes.ts';
import { createDrain } from './data-planes/drain.ts';
import { createHealthListener } from './instances/health-changes.ts';
import { coldStartSeconds, createHealthBook } from './health.ts';
import { createDozing } from './data-planes/dozing.ts';
import { createInstances, waitsFor } from './instances/instances.ts';
import { createJobUseCases } from './usecases/job-usecases.ts';
import type { JobRunner } from './jobs/job-runner.ts';
import type { ProgramRunner } from './jobs/program-runner.ts';
import { createJobs, type Jobs } from './jobs/jobs.ts';
import { createLineageReferences } from './jobs/sweep.ts';
import { createPlaces } from './jobs/places.ts';
import { createJournal } from './records/journal.ts';
import { createKeepAlive } from './keepalive/keep-alive.ts';
import { createSchedules } from './keepalive/schedules.ts';
import { createLeases } from './leases/leases.ts';
import { MAX_KEYS } from './limits.ts';
import { createLoadBook } from './load.ts';
import { createMeasures } from './measures/measures.ts';
import { createControlMetrics } from './metrics.ts';
import { type RoutingOutlet, createPublishing } from './data-planes/publish.ts';
import { createReportListener } from './reports.ts';
import { type AsyncRequestOptions, createAsyncRequests } from './requests/async-requests.ts';
import { createRetention } from './retention/retention.ts';
import { createRouteFollower } from './data-planes/route-follower.ts';
import { createRevisionLoop } from './revisions/revisions.ts';
import { loadScheduleBook } from './schedules/book.ts';
import { createJobTask } from './schedules/job-task.ts';
import { createProbes } from './schedules/probes.ts';
import { createScheduler } from './schedules/scheduler.ts';
import { createWarmUps } from './schedules/warm-ups.ts';
import { createOutcomeBook } from './rollout/outcomes.ts';
import { createRollouts } from './rollout/rollouts.ts';
import { referencesOf } from './rollout/split.ts';
import type { RoutingFacts } from './data-planes/routing.ts';
import { createAsked } from './autoscaling/signals/asked.ts';
import { createPrometheus } from './autoscaling/signals/prometheus.ts';
import { createSelection } from './selection/selection.ts';
import { createStandby } from './autoscaling/standby.ts';
import { createTurns } from './records/turns.ts';
import { createUsage } from './usage.ts';
import { createUseCases } from './usecases/create-usecases.ts';
import type { UseCases } from './usecases/usecases.ts';

export interface ControlSettings {
  /** Bytes for all instances together. */
  readonly memoryBudget: number;
  /** What namespaces may use before their models share it. */
  readonly budgets?: readonly NamespaceBudget[];
  /** Where a Prometheus' API begins; absent: signals cannot ask one. */
  readonly prometheus?: string | undefined;
  /** Revisions that are prepared and proven at the same time. */
  readonly proofsAtOnce: number;
  /** What holds for models that say nothing else. */
  readonly retention: RetentionDefaults;
}

/** What jobs need. */
export interface Batch {
  /** Absent: batches cannot be run here. */
  readonly runner?: JobRunner | undefined;
  /** Absent: programs cannot be run here. */
  readonly programs?: ProgramRunner | undefined;
  /** The data plane as a caller of this machine writes it. */
  readonly dataPlane: string;
  /** As the pods of shards write it; absent: there are none. */
  readonly shardDataPlane?: string | undefined;
  readonly mostShards: number;
  /** Connections to it begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  /** Where jobs read and write. */
  readonly bounds: RunBounds;
  /** More instances of a job than that do not score more. */
  readonly cores: number;
  /** Letters and digits, each time others. */
  readonly newId: () => string;
}

export interface Control {
  readonly useCases: UseCases;
  /** What control measures of itself, in Prometheus' text form. */
  metrics(): Promise<string>;
  /** Ends the loops and writes what is pending. Store, runtime and bus stay open. */
  close(): Promise<void>;
}

/** How long callers are told that a revision does not fit into the memory before it is looked at again. */
const IMPOSSIBLE_MS = 10_000;

/** What callers are told. For whom it waits is not theirs to know. */
const WAITS_FOR_MEMORY = 'waits for memory that others use';

/** The control plane over its seams. When it resolves, all state is loaded and published, and the loops run. */
export async function createControl(options: {
  store: Store;
  artifacts: Artifacts;
  artifactKeys: ArtifactKeys;
  runtime: Runtime;
  publisher: RoutingOutlet;
  clock: Clock;
  /** What the hour is asked of; absent: `clock`. */
  wall?: Clock;
  log: Log;
  settings: ControlSettings;
  /** Absent: there is one data plane, and it shares control's fate. */
  onProcesses?: OnProcesses;
  /** Absent: there are no asynchronous requests. */
  requests?: AsyncRequestOptions;
  /** Absent: there are no jobs. */
  batch?: Batch;
}): Promise<Control> {
  const { store, artifacts, runtime, publisher, clock, wall = clock, log, settings } = options;
  const catalog = await loadCatalog(store);
  const keys = await store.list('key', { limit: MAX_KEYS });
  const journal = createJournal({ store, catalog, clock, log });
  const standby = createStandby({ catalog, runtime, clock });
  const health = createHealthBook();
  const metrics = createControlMetrics(
    runtime,
    ({ revision }) =>
      catalog.revision(revision)?.value.spec.runtime === 'url' &&
      health.of(revision)?.startFailure !== undefined,
  );
  const loads = createLoadBook(() => clock.now());
  const budget = createBudget(settings.memoryBudget);
  const drain = createDrain((instance) => runtime.release(instance));
  const { onProcesses } = options;
  const leases = onProcesses && createLeases({ clock, loads, send: publisher.lease });
  const facts: RoutingFacts = {
    healthOf: (revision) => health.of(revision),
    waitsFor: (revision) =>
      waitsFor(runtime.instances(revision)) ??
      (autoscaler.waitingSince(revision) === undefined ? undefined : WAITS_FOR_MEMORY),
  };
  const isShared = onProcesses !== undefined;
  const dozing = createDozing({ clock, isShared, runtime, onClosing: tellParked });
  const publishing = createPublishing({
    catalog,
    outlet: publisher,
    facts,
    dozing,
    startedAt: clock.now(),
    isShared,
  });
  const base = { catalog, journal, artifacts, runtime, clock, log };
  const schedules = createSchedules({ ...base, clock: wall });
  const timetable = await loadScheduleBook({ store, journal });
  const warmUps = createWarmUps({ ...base, clock: wall, book: timetable });
  const floors = {
    floor: (model: string) => highest([schedules.floor(model), warmUps.floor(model)]),
  };
  const keepAlive = await createKeepAlive({
    ...base,
    schedules: floors,
    store,
    budget,
    coldStartSeconds: (revision) => coldStartSeconds(catalog, health, revision),
    idleBytes: () => autoscaler.idleBytes(),
    onAhead: (revision) => autoscaler.ahead(revision),
  });
  const query = createPrometheus({ url: settings.prometheus, clock });
  const measures = createMeasures({ store, catalog, clock });
  const asked = createAsked({ clock, log, measures, query });
  const autoscaler = createAutoscaler({
    ...base,
    asked,
    metrics,
    loads,
    budget,
    budgets: settings.budgets,
    dozing,
    standby,
    keepAlive,
    schedules: floors,
    onWaiting: (revision) => publishing.model(modelOf(revision)),
    onImpossible,
    onGone: forget,
  });
  const revisions = createRevisionLoop({
    ...base,
    autoscaler,
    waitsFor: facts.waitsFor,
    atOnce: settings.proofsAtOnce,
  });
  const instances = createInstances({
    ...base,
    metrics,
    publishing,
    drain,
    dozing,
    health,
    leases,
    onHealth: createHealthListener({ ...base, health, publishing }),
    replace: (instance) => autoscaler.replace(instance),
  });
  const alone = createTurns();
  const outcomes = createOutcomeBook();
  const judged = { ...base, store, measures, metrics, alone };
  const rollouts = await createRollouts({ ...judged, budget, asked, outcomes });
  const selection = await createSelection({ ...judged, rollouts });
  // Retention asks it, and it asks retention.
  let jobs: Jobs | undefined;
  const retention = await createRetention({
    ...base,
    store,
    metrics,
    loads,
    alone,
    references: [
      (entry) => referencesOf(rollouts.get(entry.key)),
      (entry) => selection.referencesOf(entry),
      (entry) => timetable.referencesOf(entry),
      (entry) => jobs?.referencesOf(entry) ?? [],
    ],
    contentInUse: () => [...timetable.inUse(), ...(jobs?.inUse() ?? [])],
    defaults: settings.retention,
  });
  const places = options.batch && createPlaces({ catalog, runtime, ...options.batch });
  if (options.batch && places) {
    jobs = await createJobs({
      ...base,
      ...options.batch,
      store,
      metrics,
      deletions: retention.deletions,
      alone,
      places,
      retention: {
        unusedFor: settings.retention.jobs.unusedFor,
        gaps: retention.gaps,
        references: [timetable.jobReferencesOf, createLineageReferences({ catalog, ...retention })],
      },
    });
  }
  const follower = runtime.routes && createRouteFollower({ ...base, routes: runtime.routes });
  const usage = createUsage({
    store,
    runtime,
    clock,
    log,
    activeRevisions: () => autoscaler.active(),
  });

  function onImpossible(revision: string, why: string): void {
    revisions.onImpossible(revision, why);
    const changed = health.impossible(revision, why, clock.now() + IMPOSSIBLE_MS);
    if (changed) publishing.model(modelOf(revision));
  }

  /** That what dozed is to be asked for from now on. */
  function tellParked(id: string): void {
    const instance = runtime.instances().find((one) => one.id === id);
    if (instance) publishing.instance(instance);
  }

  function forget(revision: string): void {
    health.forget(revision);
    metrics.forget(revision);
    budget.forget(revision);
    keepAlive.forget(revision);
  }

  // Data planes first: they must know of a model before the autoscaler acts on it. Then the autoscaler: proofs
  // look at what it has decided.
  const loops = [autoscaler, revisions, standby, retention, rollouts, follower ?? []].flat();
  journal.onChange((model) => publishing.model(model));
  journal.onChange((model) => schedules.refresh(model));
  for (const loop of loops) journal.onChange((model) => loop.refresh(model));
  schedules.onTurn((model) => autoscaler.refresh(model));
  // Its instances may still drain, and have something to say: then it is forgotten once more, see `onGone`.
  journal.onDeleted(forget);
  // Data planes first: they hear of an instance before anything is decided on it. Then the proofs: a revision
  // is proven by an instance that the autoscaler may let go in the same turn.
  const watchers = [keepAlive, instances, revisions, autoscaler, retention].map(
    (part) => (event: RuntimeEvent) => part.onRuntime(event),
  );
  watchers.push(() => jobs?.onRuntime());
  runtime.onEvent((event) => callEach(watchers, event, log));
  const running = runtime.instances();
  instances.adopt(running);
  publishing.all({ keys: keys.map((stored) => stored.value), running });
  autoscaler.adopt();
  const dataPlanes = followDataPlanes({
    links: publisher,
    listed: onProcesses && leases && { onProcesses, leases },
    drain,
    onLeft: (dataPlane) => autoscaler.left(dataPlane),
    clock,
    log,
  });
  const requests =
    options.requests &&
    (await createAsyncRequests({
      ...options.requests,
      catalog,
      reply: (dataPlane, id, reply) => publisher.reply(dataPlane, id, reply),
      clock,
      wall,
      log,
    }));
  publisher.onUpward(
    createReportListener({
      catalog,
      autoscaler,
      leases,
      loads,
      usage,
      retention,
      outcomes,
      drain,
      dozing,
      instances,
      requests,
    }),
  );
  for (const model of catalog.keys({ prefix: '', limit: catalog.size })) {
    for (const loop of loops) loop.refresh(model);
  }

  const { artifactKeys } = options;
  const jobUseCases = createJobUseCases(
    { ...base, alone, artifactKeys },
    options.batch && places && jobs && { ...options.batch, places, jobs },
  );
  const probes = createProbes({ ...base, store, dataPlane: options.requests });
  const jobTask = createJobTask({ useCases: jobUseCases, jobs });
  const scheduler = createScheduler({
    book: timetable,
    tasks: {
      batch: jobTask,
      program: jobTask,
      warmUp: warmUps.task,
      probe: probes.task,
    },
    onChange({ namespace, spec }) {
      warmUps.refresh();
      const { model } = taskOf(spec);
      if (model !== undefined) autoscaler.refresh(modelKey(namespace, model));
    },
    clock: wall,
    log,
  });
  return {
    useCases: createUseCases({
      ...base,
      store,
      artifactKeys,
      publishing,
      facts,
      retention,
      rollouts,
      selection,
      requests,
      jobs,
      jobUseCases,
      schedules: {
        clock: wall,
        book: timetable,
        scheduler,
        hasBatches: options.batch?.runner !== undefined,
        hasPrograms: options.batch?.programs !== undefined,
      },
      alone,
    }),
    async metrics() {
      const texts = [
        await metrics.text(),
        await jobs?.metrics(),
        await scheduler.metrics(),
        await requests?.metrics(),
      ];
      return mergeMetrics(texts.filter((text) => text !== undefined));
    },
    async close() {
      await scheduler.close();
      probes.close();
      await requests?.close();
      await jobs?.close();
      await selection.close();
      await rollouts.close();
      await revisions.close();
      autoscaler.close();
      await asked.close();
      schedules.close();
      await keepAlive.close();
      follower?.close();
      leases?.close();
      dozing.close();
      dataPlanes.close();
      await usage.close();
      await retention.close();
      await journal.flush();
    },
  };
}
