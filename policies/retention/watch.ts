/**
 * Time counts as unused only while somebody was there to see a use: what nobody could ask for, because Rouse did not
 * run or the machine slept, is not held against it.
 */

/** ms since the epoch, oldest first, apart from each other. */
export type Gaps = readonly Gap[];

export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** So many are told apart. More become fewer and longer, which only keeps things for longer. */
export const MOST_GAPS = 64;

/** How much of the time between two moments was seen, ms. */
export function timeSeen(from: number, to: number, gaps: Gaps): number {
  if (to <= from) return 0;
  const unseen = gaps.reduce(
    (sum, gap) => sum + Math.max(0, Math.min(to, gap.to) - Math.max(from, gap.from)),
    0,
  );
  return to - from - unseen;
}

/** When so much time since `from` will have been seen, if no gap comes; `now` where it has been already. */
export function whenSeen(from: number, period: number, now: number, gaps: Gaps): number {
  return now + Math.max(0, period - timeSeen(from, now, gaps));
}

/** With one more gap, which may overlap others. */
export function addGap(gaps: Gaps, gap: Gap): Gaps {
  if (gap.to <= gap.from) return gaps;
  const apart = gaps.filter(({ from, to }) => to < gap.from || from > gap.to);
  const touched = gaps.filter(({ from, to }) => to >= gap.from && from <= gap.to);
  const joined = {
    from: Math.min(gap.from, ...touched.map(({ from }) => from)),
    to: Math.max(gap.to, ...touched.map(({ to }) => to)),
  };
  return joinNearest([...apart, joined].toSorted((a, b) => a.from - b.from));
}

function joinNearest(gaps: Gap[]): Gaps {
  while (gaps.length > MOST_GAPS) {
    const spaces = gaps.slice(1).map(({ from }, index) => from - (gaps[index]?.to ?? 0));
    const at = spaces.indexOf(Math.min(...spaces));
    const [first, second] = gaps.slice(at, at + 2);
    if (!first || !second) break;
    gaps.splice(at, 2, { from: first.from, to: second.to });
  }
  return gaps;
}
