import { exchange, fieldOf, makeRequest } from '../measure/exchange.ts';
import { figureOf, quantile } from '../measure/figures.ts';
import { type Phase, parseTiming } from '../measure/timing.ts';
import { until } from '../measure/until.ts';
import type { ActivatorName, ActivatorPod } from './activators.ts';
import { type Ratio, ratioOfQuantiles } from './bootstrap.ts';
import { headersOf, podsByService } from './objects.ts';

/** A pod that is told to end takes some seconds, and its autoscaler a window and a grace before that. */
const ASLEEP = { everyMs: 250, withinMs: 120_000 };

export interface ColdRow {
  readonly activator: ActivatorName;
  readonly wakes: number;
  /** From the request to the first byte of its answer, ms. */
  readonly p50: number;
  readonly p95: number;
  readonly high: number;
  /** Medians of our `Server-Timing`, ms; not of Knative's, which has none. */
  readonly phases: Readonly<Record<Phase, number>> | undefined;
}

export interface Cold {
  readonly services: number;
  readonly rows: readonly ColdRow[];
  /** Ours to Knative's. */
  readonly ratios: { readonly p50: Ratio; readonly p95: Ratio };
}

interface Wake {
  readonly ms: number;
  readonly timing: string | undefined;
}

/**
 * Each service is woken in turn, when it sleeps: by one activator, then by the other. So each activator wakes each
 * service as often, and none comes always first.
 */
export async function measureCold(
  activators: readonly ActivatorPod[],
  services: readonly string[],
  wakes: number,
): Promise<Cold> {
  const found = new Map<ActivatorName, Wake[]>(activators.map(({ name }) => [name, []]));
  for (let turn = 0; turn < wakes * activators.length; turn++) {
    const service = services[turn % services.length] ?? '';
    const pass = Math.floor(turn / services.length);
    const by = activators[(turn + pass) % activators.length];
    if (!by) continue;
    await untilAsleep(service);
    found.get(by.name)?.push(await wake(by, service));
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

async function untilAsleep(service: string): Promise<void> {
  await until(ASLEEP, async () => {
    const pods = (await podsByService()).get(service) ?? [];
    return pods.length === 0 ? undefined : `${service} does not go to sleep`;
  });
}

async function wake({ host, port, name }: ActivatorPod, service: string): Promise<Wake> {
  const fields = Object.entries(headersOf(service)).map(([key, value]) => `${key}: ${value}\r\n`);
  const request = makeRequest(service, '/', undefined, fields.join(''));
  const askedAt = performance.now();
  const { firstByteAt, status, head, body } = await exchange({ host, port }, request);
  if (status !== 200) throw new Error(`${name} answered ${status} for ${service}: ${body}`);
  return { ms: firstByteAt - askedAt, timing: fieldOf(head, 'server-timing') };
}

function summarise(activator: ActivatorName, wakes: readonly Wake[]): ColdRow {
  const sorted = wakes.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return {
    activator,
    wakes: wakes.length,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    high: sorted.at(-1) ?? 0,
    phases: phasesOf(wakes.flatMap(({ timing }) => timing ?? [])),
  };
}

function phasesOf(timings: readonly string[]): ColdRow['phases'] {
  if (timings.length === 0) return undefined;
  const parsed = timings.map(parseTiming);
  const median = (phase: Phase): number => figureOf(parsed.map((each) => each[phase])).median;
  return {
    queue: median('queue'),
    start: median('start'),
    load: median('load'),
    infer: median('infer'),
  };
}
