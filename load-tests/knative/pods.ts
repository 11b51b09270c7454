import { createConnection } from '#knative/api/client.ts';
import { createKube } from '#knative/api/kube.ts';
import { createMirrors } from '#knative/api/mirrors.ts';
import type { Pod } from '#knative/api/objects.ts';
import { PODS } from '#knative/api/resources.ts';
import { systemClock } from '#lib/clock.ts';
import { createLog } from '#lib/log.ts';

/** The pods of all services, as the cluster tells of them: what happens, and when it was told. */
export interface PodWatch {
  /** Those that are ending, too. */
  of(service: string): readonly Pod[];
  /** Of its newest pod, `performance.now()`. */
  timesOf(service: string): PodTimes | undefined;
  close(): Promise<void>;
}

export interface PodTimes {
  readonly madeAt: number;
  /** Its address was known; its containers begin about then. */
  readonly addressAt: number | undefined;
}

const SERVICE = 'serving.knative.dev/service';

/** Resolves when it knows what there is. */
export async function watchPods(): Promise<PodWatch> {
  const connection = await createConnection();
  const mirrors = createMirrors({
    kube: createKube(connection, systemClock),
    clock: systemClock,
    roll: Math.random,
    log: createLog({ level: 'warn', terminal: false }),
  });
  const newest = new Map<string, PodTimes & { readonly name: string }>();
  const mirror = mirrors.add(PODS, SERVICE, ({ type, object }) => {
    if (type === 'gone') return;
    const now = performance.now();
    const { name } = object.metadata;
    const last = newest.get(serviceOf(object));
    // What is told of an older one is how it ends.
    if (object.metadata.deletionTimestamp !== undefined) return;
    const known = last?.name === name ? last : { name, madeAt: now, addressAt: undefined };
    const addressAt = known.addressAt ?? (object.status?.podIP === undefined ? undefined : now);
    newest.set(serviceOf(object), { ...known, addressAt });
  });
  await mirrors.listed();
  return {
    of: (service) => Array.from(mirror.all()).filter((pod) => serviceOf(pod) === service),
    timesOf: (service) => newest.get(service),
    async close() {
      await mirrors.close();
      connection.close();
    },
  };
}

function serviceOf({ metadata }: Pod): string {
  return metadata.labels?.[SERVICE] ?? '';
}
