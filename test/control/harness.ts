import { randomBytes } from 'node:crypto';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lease, RevisionLoad } from '#bus/messages.ts';
import type { Report } from '#bus/publisher.ts';
import { type ArtifactKeys, createArtifactKeys } from '#control/usecases/artifact-keys.ts';
import { type Batch, type Control, createControl } from '#control/control.ts';
import type { RoutingOutlet } from '#control/data-planes/publish.ts';
import type { ModelInput, RevisionSpecInput } from '#domain/model.ts';
import type { Actor, EventRecord } from '#domain/records.ts';
import type { NamespaceBudget } from '#domain/budgets.ts';
import { RETENTION_DEFAULTS, type RetentionDefaults } from '#domain/retention.ts';
import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import { type Log, silentLog } from '#lib/log.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import type { Store } from '#store/store.ts';
import { type FakeClock, createFakeClock } from '#test/fake-clock.ts';
import type { Runtime } from '#runtime/runtime.ts';
import { type FakeRuntime, createFakeRuntime } from '#test/runtime/fake.ts';
import { until } from '#test/until.ts';

export const ADMIN: Actor = { id: 'local', role: 'admin' };
export const MIB = 2 ** 20;

/** What the data planes were told, and what they say. */
export interface FakeOutlet extends RoutingOutlet {
  readonly models: ReadonlyMap<string, RoutingModel>;
  readonly instances: ReadonlyMap<string, RoutingInstance>;
  /** Changes in the order told. */
  readonly updates: readonly Parameters<RoutingOutlet['update']>[0][];
  /** In the order sent. */
  readonly leases: readonly (Lease & { readonly dataPlane: string })[];
  say(message: Report, dataPlane?: string): void;
  leave(dataPlane?: string): void;
  /** Called after each update. */
  watch(listener: () => void): void;
}

export interface Harness {
  readonly clock: FakeClock;
  readonly store: Store;
  readonly artifacts: Artifacts;
  readonly artifactKeys: ArtifactKeys;
  readonly runtime: FakeRuntime;
  readonly outlet: FakeOutlet;
  readonly control: Control;
  apply(spec: ModelInput['spec'], name?: string): ReturnType<Control['useCases']['applyModel']>;
  upload(text: string): Promise<string>;
  load(part: Partial<RevisionLoad>, dataPlane?: string): void;
  events(type?: string): Promise<EventRecord[]>;
  /** Waits until what was set off has come to rest, then lets the time pass, second by second. */
  pass(seconds: number, each?: () => void): Promise<void>;
  /** Ends control and the runtime as a crash would, and starts them again over the same store. */
  restart(away?: () => void): Promise<void>;
  /** Ends control alone, and starts it again: instances and data planes live on. */
  restartControl(onProcesses?: Parameters<typeof createControl>[0]['onProcesses']): Promise<void>;
  close(): Promise<void>;
}

async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Turns of the loop after which all that does not wait for time or for files has been done. */
const TURNS_TO_REST = 12;

export async function rest(): Promise<void> {
  for (let count = 0; count < TURNS_TO_REST; count++) await turn();
}

export function program(part: Partial<RevisionSpecInput> = {}): RevisionSpecInput {
  return { runtime: 'command', args: ['./server'], ...part };
}

export function createFakeOutlet(): FakeOutlet {
  const models = new Map<string, RoutingModel>();
  const instances = new Map<string, RoutingInstance>();
  const updates: Parameters<RoutingOutlet['update']>[0][] = [];
  const speakers: ((dataPlane: string, message: Report) => void)[] = [];
  const joiners: Parameters<RoutingOutlet['onJoined']>[0][] = [];
  const leases: FakeOutlet['leases'][number][] = [];
  const present = new Set<string>();
  const leavers: ((dataPlane: string) => void)[] = [];
  const watchers: (() => void)[] = [];
  return {
    models,
    instances,
    updates,
    leases,
    reply: () => {},
    lease: (dataPlane, sent) => void leases.push(...sent.map((lease) => ({ dataPlane, ...lease }))),
    update(change) {
      updates.push(change);
      for (const key of change.removedModels ?? []) models.delete(key);
      for (const id of change.removedInstances ?? []) instances.delete(id);
      for (const model of change.models ?? [])
        models.set(`${model.namespace}/${model.name}`, model);
      for (const instance of change.instances ?? []) instances.set(instance.id, instance);
      for (const watcher of watchers) watcher();
    },
    onUpward: (listener) => speakers.push(listener),
    onJoined: (listener) => joiners.push(listener),
    onGap: () => {},
    onLeft: (listener) => leavers.push(listener),
    say(message, dataPlane = 'plane-1') {
      if (!present.has(dataPlane)) for (const joiner of joiners) joiner(dataPlane, []);
      present.add(dataPlane);
      for (const speaker of speakers) speaker(dataPlane, message);
    },
    leave(dataPlane = 'plane-1') {
      present.delete(dataPlane);
      for (const leaver of leavers) leaver(dataPlane);
    },
    watch: (listener) => watchers.push(listener),
  };
}

type OnProcesses = NonNullable<Parameters<typeof createControl>[0]['onProcesses']>;

export async function createHarness(
  options: {
    memoryBudget?: number;
    startMs?: number;
    proofsAtOnce?: number;
    /** The database in memory: for tests that make very many. */
    memory?: boolean;
    /** Several data-plane processes instead of one that shares control's fate. */
    onProcesses?: OnProcesses;
    log?: Log;
    retention?: RetentionDefaults;
    budgets?: readonly NamespaceBudget[];
    batch?: Batch;
    /** Where a Prometheus answers. */
    prometheus?: string;
    /** Instances are reached by other ways, too. */
    routes?: Runtime['routes'];
    /** How far the hour is off the clock now, ms. */
    hourOff?: () => number;
  } = {},
): Promise<Harness> {
  const { memoryBudget = 1000 * MIB, startMs = 100, proofsAtOnce = 4, onProcesses } = options;
  const { log = silentLog, retention = RETENTION_DEFAULTS, budgets = [], batch } = options;
  const { prometheus, routes, hourOff = () => 0 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'rouse-control-'));
  const clock = createFakeClock();
  const store = await createSqliteStore({
    path: options.memory ? ':memory:' : join(folder, 'state.db'),
    clock,
  });
  const artifacts = await createArtifactFolder({ folder: join(folder, 'artifacts'), clock });

  const artifactKeys = createArtifactKeys(randomBytes(32));

  async function start(
    runtime = createFakeRuntime({ clock, startMs }),
    more: { onProcesses?: OnProcesses } = onProcesses ? { onProcesses } : {},
  ): Promise<Pick<Harness, 'runtime' | 'outlet' | 'control'>> {
    const outlet = createFakeOutlet();
    const settings = { memoryBudget, proofsAtOnce, retention, budgets, prometheus };
    const base = {
      store,
      artifacts,
      artifactKeys,
      // The same one as a rule: tests exchange what it does.
      runtime: routes ? { ...runtime, routes } : runtime,
      publisher: outlet,
      clock,
      wall: { ...clock, now: () => clock.now() + hourOff() },
      log,
    };
    const all = { ...base, ...more, ...(batch && { batch }), settings };
    return { runtime, outlet, control: await createControl(all) };
  }

  let now = await start();
  async function stop(): Promise<void> {
    await now.control.close();
    await now.runtime.close(0);
  }

  const harness: Harness = {
    clock,
    store,
    artifacts,
    artifactKeys,
    get runtime() {
      return now.runtime;
    },
    get outlet() {
      return now.outlet;
    },
    get control() {
      return now.control;
    },
    apply: (spec, name = 'm') =>
      now.control.useCases.applyModel(ADMIN, {
        apiVersion: 'rouse.dev/v1alpha1',
        kind: 'Model',
        metadata: { name },
        spec,
      }),
    async upload(text) {
      const digest = createHash('sha256').update(text).digest('hex');
      const content = (async function* () {
        yield Buffer.from(text);
      })();
      const options = { name: 'model.bin', kind: 'file' } as const;
      await now.control.useCases.putArtifact(ADMIN, digest, content, options);
      return `sha256:${digest}`;
    },
    load(part, dataPlane) {
      const idle = { inFlight: 0, queued: 0, concurrency: 0, arrivals: 0, coldArrivals: 0 };
      const load = {
        revision: 'default/m/00001',
        ...idle,
        busySeconds: 0,
        coldSeconds: 0,
        ...part,
      };
      now.outlet.say({ type: 'load', at: clock.now(), revisions: [load] }, dataPlane);
    },
    async events(type) {
      await rest();
      // Events are written a little later.
      clock.advance(100);
      await rest();
      const query = { namespace: 'default', limit: 1000, ...(type && { type }) };
      return await store.events(query);
    },
    async pass(seconds, each) {
      for (let second = 0; second < seconds; second++) {
        await rest();
        each?.();
        clock.advance(1000);
      }
      await rest();
    },
    async restart(away) {
      await stop();
      away?.();
      now = await start();
    },
    async restartControl(onProcesses) {
      await now.control.close();
      now = await start(now.runtime, onProcesses && { onProcesses });
    },
    async close() {
      await stop();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
  return harness;
}

/** Applies a model of one revision and lets it be proven and fall asleep. */
export async function deployed(
  harness: Harness,
  spec: Partial<ModelInput['spec']> = {},
  name = 'm',
): Promise<string> {
  const { view } = await harness.apply({ revision: program(), ...spec }, name);
  const revision = view.revisions.at(-1)?.value.name ?? '';
  const key = `default/${name}/${revision}`;
  await reaches(harness, key, 'Ready');
  return key;
}

export async function reaches(harness: Harness, key: string, state: string): Promise<void> {
  await until(`${key} is ${state}`, async () => {
    const stored = await harness.store.get('revision', key);
    if (stored?.value.state === state) return true;
    await rest();
    harness.clock.advance(50);
    return false;
  });
  await rest();
}
