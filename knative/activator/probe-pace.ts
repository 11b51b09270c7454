/** A pod is there some hundred milliseconds after its address is known: until then it is asked often. */
const STEPS = [
  { untilMs: 2_000, everyMs: 10 },
  { untilMs: 10_000, everyMs: 50 },
];
/** As Knative's activator. */
const SLOWEST_MS = 200;
/** All pods together are asked no more often than this: each probe takes a third of a millisecond of this process. */
const BETWEEN_MS = 2;

/**
 * How long to wait before a pod is asked again, ms.
 *
 * @param sinceMs since its address is known.
 * @param probing how many pods are being asked.
 */
export function decideProbeWait(sinceMs: number, probing: number): number {
  const step = STEPS.find(({ untilMs }) => sinceMs < untilMs);
  return Math.min(SLOWEST_MS, Math.max(step?.everyMs ?? SLOWEST_MS, probing * BETWEEN_MS));
}
