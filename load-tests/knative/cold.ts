import { exchange, makeRequest } from '../measure/exchange.ts';
import { figureOf, quantile } from '../measure/figures.ts';
import { say } from '../measure/results.ts';
import { pause, until } from '../measure/until.ts';
import type { ActivatorName, ActivatorPod } from './activators.ts';
import { type Ratio, ratioOfQuantiles } from './bootstrap.ts';
import { headersOf } from './objects.ts';
import type { PodWatch } from './pods.ts';

/** A pod that is told to end takes some seconds, and its autoscaler a window and a grace before that. */
const ASLEEP = { everyMs: 50, withinMs: 120_000 };
/** What a wake has set in motion goes on when it is answered, and would slow down the next one. */
const SETTLE_MS = 500;
/** What is told of a pod may come after the answer of that pod. */
const TOLD = { everyMs: 10, withinMs: 10_000 };

/**
 * What a wake consists of, ms: until its pod is made, which activator, autoscaler and controllers do; until that has an
 * address, which scheduler and kubelet do; until the first byte of the answer, for which containers start, and the
 * activator finds out and sends the request.
 */
export interface Phases {
  readonly made: number;
  readonly address: number;
  readonly answer: number;
}

export interface ColdRow {
  readonly activator: ActivatorName;
  readonly wakes: number;
  /** From the request to the first byte of its answer, ms. */
  readonly p50: number;
  readonly p95: number;
  readonly high: number;
  /** Medians. */
  readonly phases: Phases;
}

export interface Cold {
  readonly services: number;
  readonly rows: readonly ColdRow[];
  /** Ours to Knative's. */
  readonly ratios: { readonly p50: Ratio; readonly p95: Ratio };
}

interface Wake extends Phases {
  readonly ms: number;
}

/**
 * Each service is woken in turn, when it sleeps: by one activator, then by the other. So each activator wakes each
 * service as often, and none comes always first.
 */
export async function measureCold(
  activators: readonly ActivatorPod[],
  services: readonly string[],
  wakes: number,
  pods: PodWatch,
): Promise<Cold> {
  const found = new Map<ActivatorName, Wake[]>(activators.map(({ name }) => [name, []]));
  for (let turn = 0; turn < wakes * activators.length; turn++) {
    const index = turn % services.length;
    const service = services[index] ?? '';
    const pass = Math.floor(turn / services.length);
    if (index === 0) say(`cold: ${turn} of ${wakes * activators.length} wakes`);
    const by = activators[(index + pass) % activators.length];
    if (!by) continue;
    await pause(SETTLE_MS);
    await untilAsleep(service, pods);
    found.get(by.name)?.push(await wake(by, service, pods));
  }
  const times = (name: ActivatorName): number[] => (found.get(name) ?? []).map(({ ms }) => ms);
  const ratio = (share: number): Ratio =>
    ratioOfQuantiles(times('rouse'), times('stock'), share, Math.random);
  return {
    services: services.length,
    rows: Array.from(found, ([activator, all]) => summarise(activator, all)),
    ratios: { p50: ratio(0.5), p95: ratio(0.95) },
  };
}

async function untilAsleep(service: string, pods: PodWatch): Promise<void> {
  await until(ASLEEP, () =>
    pods.of(service).length === 0 ? undefined : `${service} does not go to sleep`,
  );
}

async function wake(
  { host, port, name }: ActivatorPod,
  service: string,
  pods: PodWatch,
): Promise<Wake> {
  const fields = Object.entries(headersOf(service)).map(([key, value]) => `${key}: ${value}\r\n`);
  const request = makeRequest(service, '/', undefined, fields.join(''));
  const askedAt = performance.now();
  const { firstByteAt, status, body } = await exchange({ host, port }, request);
  if (status !== 200) throw new Error(`${name} answered ${status} for ${service}: ${body}`);
  const { madeAt, addressAt } = await untilTold(service, pods, askedAt);
  return {
    ms: firstByteAt - askedAt,
    made: madeAt - askedAt,
    address: addressAt - madeAt,
    answer: firstByteAt - addressAt,
  };
}

async function untilTold(
  service: string,
  pods: PodWatch,
  askedAt: number,
): Promise<{ madeAt: number; addressAt: number }> {
  let told: { madeAt: number; addressAt: number } | undefined;
  await until(TOLD, () => {
    const { madeAt = 0, addressAt } = pods.timesOf(service) ?? {};
    if (madeAt < askedAt || addressAt === undefined) return `no pod of ${service} was told of`;
    told = { madeAt, addressAt };
    return undefined;
  });
  if (!told) throw new Error(`no pod of ${service} was told of`);
  return told;
}

function summarise(activator: ActivatorName, wakes: readonly Wake[]): ColdRow {
  const sorted = wakes.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return {
    activator,
    wakes: wakes.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    high: sorted.at(-1) ?? 0,
    phases: {
      made: medianOf(wakes.map(({ made }) => made)),
      address: medianOf(wakes.map(({ address }) => address)),
      answer: medianOf(wakes.map(({ answer }) => answer)),
    },
  };
}

function medianOf(values: readonly number[]): number {
  return figureOf(values).median;
}
