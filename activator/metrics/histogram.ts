import { sample } from '#lib/prometheus.ts';

/** Bounds for how long requests take. */
export const REQUEST_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** A Prometheus histogram over fixed bounds; `add` allocates nothing. */
export class Histogram {
  count = 0;
  sum = 0;
  private readonly bounds: readonly number[];
  private readonly buckets: Float64Array;

  /** @param bounds upper bounds in ascending order, in the unit of what is added. */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.buckets = new Float64Array(bounds.length + 1);
  }

  add(value: number): void {
    let i = 0;
    while (i < this.bounds.length && value > this.bounds[i]!) i += 1;
    this.buckets[i]! += 1;
    this.count += 1;
    this.sum += value;
  }

  format(name: string, labels: string): string[] {
    if (this.count === 0) return [];
    let running = 0;
    const lines = [...this.bounds, '+Inf'].map((bound, i) => {
      running += this.buckets[i] ?? 0;
      return sample(`${name}_bucket`, `${labels},le="${bound}"`, running);
    });
    return [
      ...lines,
      sample(`${name}_sum`, labels, this.sum),
      sample(`${name}_count`, labels, this.count),
    ];
  }
}
