/** What is in one heap at most. `place` belongs to the heap. */
export interface Weighed {
  /** Where it is in the heap; -1: nowhere. */
  place: number;
  readonly bytes: number;
}

/**
 * Who holds most bytes, at hand: a binary heap (Williams, CACM 7, 1964). Who holds none is not kept, so that requests
 * without a body cost nothing here.
 *
 * Invariant: none holds more than the one above it, `(place - 1) >> 1`, but while `change` moves one of them.
 */
export class Heaviest<N extends Weighed> {
  private readonly nodes: N[] = [];

  get first(): N | undefined {
    return this.nodes[0];
  }

  /** Its bytes have changed. */
  change(node: N): void {
    if (node.bytes === 0) this.remove(node);
    else if (node.place < 0) this.rise(node, this.nodes.length);
    else this.move(node);
  }

  private remove(node: N): void {
    const { place } = node;
    if (place < 0) return;
    node.place = -1;
    const last = this.nodes.pop();
    if (!last || last === node) return;
    last.place = place;
    this.move(last);
  }

  private move(node: N): void {
    const { place } = node;
    this.rise(node, place);
    if (node.place === place) this.sink(node, place);
  }

  private rise(node: N, from: number): void {
    let at = from;
    for (let above = this.above(at); above && above.bytes < node.bytes; above = this.above(at)) {
      const to = above.place;
      this.put(above, at);
      at = to;
    }
    this.put(node, at);
  }

  private sink(node: N, from: number): void {
    let at = from;
    for (let below = this.below(at); below && below.bytes > node.bytes; below = this.below(at)) {
      const to = below.place;
      this.put(below, at);
      at = to;
    }
    this.put(node, at);
  }

  private above(at: number): N | undefined {
    return at > 0 ? this.nodes[(at - 1) >> 1] : undefined;
  }

  /** The heavier one of the two. */
  private below(at: number): N | undefined {
    const left = this.nodes[2 * at + 1];
    const right = this.nodes[2 * at + 2];
    return left && right && right.bytes > left.bytes ? right : left;
  }

  private put(node: N, at: number): void {
    this.nodes[at] = node;
    node.place = at;
  }
}
