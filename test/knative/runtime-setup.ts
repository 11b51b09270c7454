import { createConnection } from '#knative/api/client.ts';
import { createKube, type Kube } from '#knative/api/kube.ts';
import type { ConfigMap, Texts } from '#knative/api/objects.ts';
import { CONFIG_MAPS, REVISIONS, SERVICES } from '#knative/api/resources.ts';
import {
  createKnativeRuntime,
  type KnativeRuntime,
  type KnativeRuntimeOptions,
} from '#knative/runtime/runtime.ts';
import { systemClock, type Clock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import type { RuntimeEvent } from '#runtime/runtime.ts';
import { createFakeRuntime, type FakeRuntime } from '#test/runtime/fake.ts';
import { startApiServer, type ApiServer } from './api-server.ts';
import { createFakeKnative, declareKnative, type FakeKnative } from './fake-knative.ts';

/** A runtime on an API server with something that does as Knative. */
export interface KnativeSetup {
  readonly server: ApiServer;
  readonly knative: FakeKnative;
  readonly kube: Kube;
  readonly runtime: KnativeRuntime;
  /** What needs no cluster, of all lives. */
  readonly local: FakeRuntime;
  readonly options: Omit<KnativeRuntimeOptions, 'kube' | 'clock'>;
  readonly events: readonly RuntimeEvent[];
  /** Another life of Rouse, on the same cluster. */
  another(): Promise<KnativeRuntime>;
  /** All Revisions have the lower bound that was wanted of them, by key. */
  isOrdered(desired: ReadonlyMap<string, number>): boolean;
  close(): Promise<void>;
}

const MIN_SCALE = 'autoscaling.knative.dev/min-scale';

export async function createKnativeSetup(
  options: Partial<KnativeRuntimeOptions> & {
    /** Of the cluster's own doings. */
    clock?: Clock;
    /** Of the runtime; the system's unless it is said. */
    runtimeClock?: Clock;
    version?: string;
    /** Knative's `config-defaults`. */
    defaults?: Texts;
    carrier?: 'revisions' | 'podautoscalers';
  } = {},
): Promise<KnativeSetup> {
  const { clock = systemClock, version = '1.23.0', defaults, carrier } = options;
  const server = await startApiServer();
  declareKnative(server.store, version);
  if (defaults) {
    const metadata = { name: 'config-defaults', namespace: 'knative-serving' };
    const config: ConfigMap = { metadata, data: defaults };
    server.store.put(CONFIG_MAPS, config);
  }
  const knative = createFakeKnative({ store: server.store, clock, ...(carrier && { carrier }) });
  const connection = await createConnection(server.kubeconfig);
  const kube = createKube(connection, systemClock);
  const lives: KnativeRuntime[] = [];
  const local = createFakeRuntime({ clock });

  const settings = {
    servers: {
      image: 'registry.example/rouse:1',
      artifactsUrl: 'http://rouse/artifacts',
      artifactKey: (digest: string) => `ra_${digest}`,
    },
    ownerOf: () => undefined,
    local,
    roll: () => 0,
    log: silentLog,
    ...options,
  };

  async function another(): Promise<KnativeRuntime> {
    const runtimeClock = options.runtimeClock ?? systemClock;
    const life = await createKnativeRuntime({ ...settings, kube, clock: runtimeClock });
    lives.push(life);
    return life;
  }

  const runtime = await another();
  const events: RuntimeEvent[] = [];
  runtime.onEvent((event) => events.push(event));
  return {
    server,
    knative,
    kube,
    runtime,
    local,
    options: settings,
    events,
    another,
    isOrdered(desired) {
      return Array.from(desired).every(([key, count]) => {
        const [namespace, model] = key.split('/');
        const made = server.store
          .all(REVISIONS)
          .find(
            ({ metadata }) =>
              metadata.namespace === namespace && metadata.labels?.['rouse.dev/model'] === model,
          );
        if (!made)
          return (
            count === 0 && server.store.get(SERVICES, namespace ?? '', model ?? '') === undefined
          );
        return made.metadata.annotations?.[MIN_SCALE] === String(count);
      });
    },
    async close() {
      await Promise.all(lives.map((life) => life.close(0)));
      connection.close();
      knative.close();
      await server.close();
    },
  };
}
