import { sample } from '#lib/prometheus.ts';

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
