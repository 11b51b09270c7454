/**
 * How values are distributed, in bounded space: `[value, weight]` in the order of the values, each value once.
 * Up to a limit it is exact. Beyond it the two nearest neighbours become one at their weighted mean (Ben-Haim and
 * Tom-Tov, "A Streaming Parallel Decision Tree Algorithm", JMLR 11, 2010), so that it can be added to for ever and
 * two can be added up.
 */
export type Point = readonly [value: number, weight: number];
export type Points = readonly Point[];

/** More digits say nothing of a distribution, and take room where it is stored. */
const DIGITS = 9;

/** Those of all lists together, at most `most` of them. */
export function mergePoints(lists: readonly Points[], most: number): Points {
  const joined = joinEqual(lists.flat().toSorted((a, b) => a[0] - b[0]));
  while (joined.length > most) joinNearest(joined);
  return joined;
}

function joinEqual(sorted: Points): Point[] {
  const joined: Point[] = [];
  for (const [value, weight] of sorted) {
    const last = joined.at(-1);
    if (last && last[0] === value) joined[joined.length - 1] = [value, last[1] + weight];
    else joined.push([value, weight]);
  }
  return joined;
}

function joinNearest(points: Point[]): void {
  let at = 1;
  for (let index = 2; index < points.length; index++) {
    if (gapBefore(points, index) < gapBefore(points, at)) at = index;
  }
  const [left, right] = [points[at - 1]!, points[at]!];
  const weight = left[1] + right[1];
  const mean = left[0] + (right[0] - left[0]) * (right[1] / weight);
  // Rounded, it may pass a neighbour that is nearer than the last digit: then both keep their order.
  const rounded = Number(mean.toPrecision(DIGITS));
  const value = rounded >= left[0] && rounded <= right[0] ? rounded : mean;
  points.splice(at - 1, 2, [value, weight]);
}

function gapBefore(points: readonly Point[], index: number): number {
  return points[index]![0] - points[index - 1]![0];
}
