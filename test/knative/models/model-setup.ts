import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { createModelMirror, type ModelMirror } from '#knative/models/model-mirror.ts';
import { createModelObjects, type ModelObjects } from '#knative/models/models.ts';
import { type ModelObject, MODELS } from '#knative/models/object.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { createModelPlatform } from '#serve/model-platform.ts';
import { createHarness, type Harness } from '#test/control/harness.ts';
import { startApiServer, type ApiServer } from '#test/knative/api-server.ts';
import { until } from '#test/until.ts';

/** A control plane, an API server with Model objects, and what goes between them. */
export interface ModelSetup {
  readonly server: ApiServer;
  readonly harness: Harness;
  readonly mirror: ModelMirror;
  /** As kubectl would. */
  put(name: string, spec: unknown, metadata?: Partial<ModelObject['metadata']>): void;
  /** As kubectl would: with a finalizer it stays for a while. */
  remove(name: string): Promise<void>;
  get(name: string): ModelObject | undefined;
  /** Resolves with the object when its condition fits. */
  untilCondition(name: string, type: string, fits: RegExp): Promise<ModelObject>;
  /** Begins to follow, or ends. */
  start(): void;
  stop(): Promise<void>;
  close(): Promise<void>;
}

const AT = { dataPlane: 'http://127.0.0.1:8080', domain: 'models.test' };

/** `prepare`: before anything is asked of the server. */
export async function createModelSetup(
  prepare: (server: ApiServer) => void = () => {},
): Promise<ModelSetup> {
  const server = await startApiServer();
  prepare(server);
  const harness = await createHarness({ startMs: 0 });
  const connection = await createConnection(server.kubeconfig);
  const clock = systemClock;
  const kube = createKube(connection, clock);
  const mirror = createModelMirror({ kube, clock, roll: () => 0, log: silentLog });
  let objects: ModelObjects | undefined;

  function get(name: string): ModelObject | undefined {
    return server.store.get(MODELS, 'default', name) as ModelObject | undefined;
  }

  return {
    server,
    harness,
    mirror,
    put(name, spec, metadata = {}) {
      const known = get(name);
      const all = { ...known?.metadata, ...metadata, name, namespace: 'default' };
      server.store.put(MODELS, { ...known, metadata: all, spec } as ModelObject);
    },
    async remove(name) {
      await kube.remove(MODELS, { namespace: 'default', name });
    },
    get,
    async untilCondition(name, type, fits) {
      const describe = (): string => {
        const condition = get(name)?.status?.conditions?.find((each) => each.type === type);
        return `${condition?.status} ${condition?.reason}: ${condition?.message}`;
      };
      await until(`${type} of ${name} is ${fits}`, () => fits.test(describe())).catch(
        (error: unknown) => {
          throw new Error(`it is ${describe()}`, { cause: error });
        },
      );
      return get(name) as ModelObject;
    },
    start() {
      const { useCases } = harness.control;
      const platform = createModelPlatform({ useCases, runtime: harness.runtime, at: AT });
      objects = createModelObjects({ kube, mirror, platform, clock, log: silentLog });
    },
    async stop() {
      await objects?.close();
      objects = undefined;
    },
    async close() {
      await objects?.close();
      await mirror.close();
      connection.close();
      await harness.close();
      await server.close();
    },
  };
}
