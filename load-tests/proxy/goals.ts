import type { PeerRow } from './closed-loop.ts';

/** What Rouse's figures of a row are measured against, as ratios to those of HAProxy or Go. */
interface Goal {
  readonly figure: 'cpuMicros' | 'perSecond';
  readonly to: 'haproxy' | 'go';
  readonly most?: number;
  readonly least?: number;
}

/** Up to 5 % more counts as equal: a round differs by more from the next. */
const CPU: readonly Goal[] = [
  { figure: 'cpuMicros', to: 'haproxy', most: 1.05 },
  { figure: 'cpuMicros', to: 'go', most: 0.4 },
];
const SPEED: readonly Goal[] = [{ figure: 'perSecond', to: 'haproxy', least: 0.9 }];
const GOALS: Readonly<Record<string, readonly Goal[]>> = {
  'get-32': CPU,
  'post-1k-32': CPU,
  'post-100k-32': SPEED,
  'stream-50-32': SPEED,
};
/** p99 of the open loop, as a ratio to HAProxy's. */
export const P99_GOAL = 1.25;

const WORDS = { cpuMicros: 'CPU', perSecond: 'requests/s', haproxy: "HAProxy's", go: "Go's" };

/** Each goal of the row in words, and whether it is met; '': none was set. */
export function formatGoals(row: string, own: PeerRow): string {
  return (GOALS[row] ?? [])
    .map(({ figure, to, most = Infinity, least = 0 }) => {
      const { median } = own[figure].to[to] ?? { median: NaN };
      const bound = most === Infinity ? `≥ ${least}` : `≤ ${most}`;
      const isMet = median <= most && median >= least;
      return `${WORDS[figure]} ${bound} × ${WORDS[to]}: ${isMet ? 'yes' : 'no'}`;
    })
    .join('; ');
}
