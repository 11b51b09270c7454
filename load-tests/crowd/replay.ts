import { exchange, fieldOf, makeRequest } from '../measure/exchange.ts';
import { instancesOf } from '../measure/instances.ts';
import { hostOf } from '../measure/model.ts';
import type { Rouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';
import type { Arrival } from './window.ts';

const SAMPLE_MS = 200;

/** What became of the requests of a window. */
export interface Replayed {
  readonly requests: number;
  /** Waited for an instance to start. */
  readonly cold: number;
  /** Found it frozen. */
  readonly woken: number;
  /** Each is a request that was not answered with 200, in words. */
  readonly lost: readonly string[];
  /** Processes of instances, whatever they do: on the mean, and at most. */
  readonly meanLoaded: number;
  readonly mostLoaded: number;
}

/** Sends each at its time, in ms from now; what comes before `from` is sent and not counted. */
export async function replay(
  rouse: Rouse,
  arrivals: readonly Arrival[],
  nameOf: (model: number) => string,
  from: number,
  to: number,
): Promise<Replayed> {
  const begun = performance.now();
  const elapsed = (): number => performance.now() - begun;
  const counts = { requests: 0, cold: 0, woken: 0 };
  const lost: string[] = [];
  const samples: number[] = [];
  let mostLoaded = 0;
  const timer = setInterval(() => {
    const loaded = instancesOf(rouse.pid).length;
    mostLoaded = Math.max(mostLoaded, loaded);
    if (elapsed() >= from) samples.push(loaded);
  }, SAMPLE_MS);

  async function ask({ model, at }: Arrival): Promise<void> {
    const name = nameOf(model);
    const { status, head } = await exchange({ port: rouse.port }, makeRequest(hostOf(name), '/'));
    if (status !== 200) throw new Error(`${name}: ${status}`);
    if (at < from) return;
    counts.requests++;
    if (fieldOf(head, 'rouse-cold-start') !== 'true') return;
    if (hasWaitedForStart(head)) counts.cold++;
    else counts.woken++;
  }

  try {
    const asked: Promise<void>[] = [];
    for (const arrival of arrivals) {
      await pause(Math.max(0, arrival.at - elapsed()));
      asked.push(ask(arrival).catch((error: unknown) => void lost.push(String(error))));
    }
    await pause(Math.max(0, to - elapsed()));
    await Promise.all(asked);
    const meanLoaded = samples.reduce((sum, count) => sum + count, 0) / samples.length;
    return { ...counts, lost, meanLoaded, mostLoaded };
  } finally {
    clearInterval(timer);
  }
}

/** A wake is no time of `start` nor of `load`. */
function hasWaitedForStart(head: string): boolean {
  const timing = fieldOf(head, 'server-timing') ?? '';
  return /\b(?:start|load);dur=(?!0\.00\b)/.test(timing);
}
