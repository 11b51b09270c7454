const PHASES = ['queue', 'start', 'load', 'infer'] as const;
export type Phase = (typeof PHASES)[number];

/** Milliseconds by phase, of a `Server-Timing` field; a phase that it does not name took no time. */
export function parseTiming(value: string): Record<Phase, number> {
  const found: Record<Phase, number> = { queue: 0, start: 0, load: 0, infer: 0 };
  for (const phase of PHASES) {
    found[phase] = Number(new RegExp(`\\b${phase};dur=([\\d.]+)`).exec(value)?.[1] ?? 0);
  }
  return found;
}
