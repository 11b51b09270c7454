import { duration, formatDuration } from '#domain/units.ts';
import { Fault } from '#lib/fault.ts';
import { createAdaptiveEvictor, createOnline } from './adaptive.ts';
import { createGreedyDual, createLru } from './evictors.ts';
import { createFixed, createHybrid } from './planners.ts';
import type { Planner } from './replay.ts';
import type { Evictor } from './replay-capped.ts';
import type { Trace } from './trace.ts';

/** Knative keeps the last pod through its stable window, 60 s, and the grace of scaling to zero, up to 30 s. */
const KNATIVE_MS = 90_000;

const PLANNERS = new Map<string, (trace: Trace) => Planner>([
  ['knative', () => createFixed('knative', KNATIVE_MS)],
  ['hybrid', createHybrid],
]);
const EVICTORS = new Map<string, (trace: Trace) => Evictor>([
  ['lru', createLru],
  ['greedy-dual', createGreedyDual],
  ['adaptive:evict', createAdaptiveEvictor],
]);

export type NamedPolicy =
  /** The learned policy at the one price that meets the budget: found by trying, so not to be had live. */
  | { readonly kind: 'bisected' }
  /** As it runs live: it finds the price by itself. `budget`: mean of memory that is loaded and idle. */
  | { readonly kind: 'online'; readonly create: (trace: Trace, budget: number) => Planner }
  | { readonly kind: 'planner'; readonly create: (trace: Trace) => Planner }
  | { readonly kind: 'evictor'; readonly create: (trace: Trace) => Evictor };

/**
 * `fixed:10m`, `knative`, `hybrid`; with a budget `adaptive` and `adaptive:online`; under a cap `lru`, `greedy-dual`
 * and `adaptive:evict`.
 */
export function parsePolicy(name: string): NamedPolicy {
  const [planner, evictor] = [PLANNERS.get(name), EVICTORS.get(name)];
  if (name === 'adaptive') return { kind: 'bisected' };
  if (name === 'adaptive:online') return { kind: 'online', create: createOnline };
  if (planner) return { kind: 'planner', create: planner };
  if (evictor) return { kind: 'evictor', create: evictor };
  const idle = name.startsWith('fixed:')
    ? duration.safeParse(name.slice('fixed:'.length))
    : undefined;
  if (idle?.success === true) {
    return {
      kind: 'planner',
      create: () => createFixed(`fixed:${formatDuration(idle.data)}`, idle.data),
    };
  }
  const known = [
    'fixed:10m',
    'adaptive',
    'adaptive:online',
    ...PLANNERS.keys(),
    ...EVICTORS.keys(),
  ].join(', ');
  throw new Fault('invalid', `no policy ${name}; there are ${known}`);
}
