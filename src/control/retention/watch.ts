import type { Clock } from '#lib/clock.ts';
import { addGap, type Gap, type Gaps } from '#policies/retention/watch.ts';
import type { Store } from '#store/store.ts';

/**
 * Which time control has seen who is used: nothing counts as unused for the rest. Whoever starts Rouse again after a
 * month must not find everything cleared away. (While a machine sleeps, the clock of its processes stands still.)
 *
 * 1. After an end in order all uses are known until then: only the time between is a gap.
 * 2. After any other end the last uses may be lost, so all begins to count anew.
 */
export interface Watch {
  readonly gaps: Gaps;
  /** An end in order: all uses until now are stored. */
  close(): Promise<void>;
}

const KEY = 'retention/watch';

export async function loadWatch({ store, clock }: { store: Store; clock: Clock }): Promise<Watch> {
  const { closedAt, gaps: before } = readRecord((await store.get('memory', KEY))?.value ?? {});
  const gaps = addGap(before, { from: closedAt, to: clock.now() });
  // From here on it is no end in order unless `close` says so.
  await store.write([{ kind: 'memory', key: KEY, value: { gaps } }]);
  return {
    gaps,
    async close() {
      const value = { gaps, closedAt: clock.now() };
      await store.write([{ kind: 'memory', key: KEY, value }]);
    },
  };
}

/** What cannot be read was no end in order. */
function readRecord({ closedAt, gaps }: Readonly<Record<string, unknown>>): {
  closedAt: number;
  gaps: Gaps;
} {
  const isWhole = Array.isArray(gaps) && gaps.every(isGap);
  return {
    closedAt: isWhole && typeof closedAt === 'number' ? closedAt : 0,
    gaps: isWhole ? gaps : [],
  };
}

function isGap(value: unknown): value is Gap {
  if (typeof value !== 'object' || value === null) return false;
  const { from, to } = value as Partial<Gap>;
  return Number.isFinite(from) && Number.isFinite(to);
}
