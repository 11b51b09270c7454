/** Cycles of a graph, so that each node of any cycle is in one of them; the first node ends it, too. */
export function findCycles(edges: readonly (readonly [string, string])[]): string[][] {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of edges) {
    if (!next.has(from)) next.set(from, new Set());
    next.get(from)?.add(to);
  }
  const done = new Set<string>();
  const cycles: string[][] = [];
  for (const start of [...next.keys()].toSorted()) {
    if (done.has(start)) continue;
    const cycle = pathBack(start, next);
    done.add(start);
    if (!cycle) continue;
    for (const node of cycle) done.add(node);
    cycles.push(cycle);
  }
  return cycles;
}

/** The shortest way from `start` to itself, by breadth-first search. */
function pathBack(start: string, next: ReadonlyMap<string, Set<string>>): string[] | undefined {
  const before = new Map<string, string>();
  const queue = [start];
  for (const node of queue) {
    for (const following of next.get(node) ?? []) {
      if (following === start) return [...unwind(node, start, before), start];
      if (before.has(following)) continue;
      before.set(following, node);
      queue.push(following);
    }
  }
  return undefined;
}

function unwind(end: string, start: string, before: ReadonlyMap<string, string>): string[] {
  const path = [end];
  for (let node = end; node !== start;) {
    node = before.get(node) ?? start;
    path.unshift(node);
  }
  return path;
}
