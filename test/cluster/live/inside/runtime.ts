import { createConnection } from '#knative/api/client.ts';
import { createKube, type Kube } from '#knative/api/kube.ts';
import { createKnativeRuntime, type KnativeRuntime } from '#knative/runtime/runtime.ts';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import type { RuntimeEvent, Wanted, Workload } from '#runtime/runtime.ts';
import { createFakeRuntime } from '#test/runtime/fake.ts';
import { untilCluster } from './within.ts';

/** The runtime on the real cluster, as a control plane has it. */
export interface InsideRuntime {
  readonly kube: Kube;
  readonly runtime: KnativeRuntime;
  readonly failures: readonly Extract<RuntimeEvent, { type: 'failed' }>[];
  /** Orders so many, and waits until exactly so many are ready. */
  ready(made: Workload, wanted: Wanted): Promise<void>;
  /** Orders none, and waits until there is none. */
  asleep(made: Workload): Promise<void>;
  close(): Promise<void>;
}

/** `change`: of what is between it and the API server. */
export async function beginRuntime(
  change: (kube: Kube) => Kube = (kube) => kube,
): Promise<InsideRuntime> {
  const connection = await createConnection();
  const kube = change(createKube(connection, systemClock));
  const failures: Extract<RuntimeEvent, { type: 'failed' }>[] = [];
  const runtime = await createKnativeRuntime({
    kube,
    servers: {
      image: 'dev.local/none:v1',
      artifactsUrl: 'http://127.0.0.1/',
      artifactKey: () => 'ra_none',
    },
    ownerOf: () => undefined,
    local: createFakeRuntime({ clock: systemClock }),
    clock: systemClock,
    roll: Math.random,
    log: silentLog,
  });
  runtime.onEvent((event) => {
    if (event.type === 'failed') failures.push(event);
  });
  const readyOf = (key: string): number =>
    runtime.instances(key).filter(({ state }) => state === 'ready').length;
  return {
    kube,
    runtime,
    failures,
    async ready(made, wanted) {
      await runtime.want(made, wanted);
      await untilCluster(
        `${wanted.desired} of ${made.key} ready`,
        () => readyOf(made.key) === wanted.desired,
      );
    },
    async asleep(made) {
      await runtime.want(made, { min: 0, max: 4, desired: 0 });
      await untilCluster(`none of ${made.key} ready`, () => readyOf(made.key) === 0);
    },
    async close() {
      await runtime.close(0);
      connection.close();
    },
  };
}

/** A revision that any cluster of ours can run. */
export function makeWorkload(key: string, spec: Partial<RevisionSpecInput> = {}): Workload {
  const source = 'dev.local/helloworld:v1';
  return { key, spec: revisionSpec.parse({ runtime: 'image', source, ...spec }) };
}
