/** Who refers to what, found from both sides. */
export interface References {
  /** All that this one refers to, in the place of what it did before. */
  set(from: string, names: Iterable<string>): void;
  delete(from: string): void;
  /** Those that refer to it. */
  to(name: string): Iterable<string>;
  has(name: string): boolean;
}

export function createReferences(): References {
  const namesOf = new Map<string, ReadonlySet<string>>();
  const holders = new Map<string, Set<string>>();

  function remove(from: string): void {
    for (const name of namesOf.get(from) ?? []) {
      const left = holders.get(name);
      left?.delete(from);
      if (left?.size === 0) holders.delete(name);
    }
    namesOf.delete(from);
  }

  return {
    set(from, names) {
      remove(from);
      const wanted = new Set(names);
      namesOf.set(from, wanted);
      for (const name of wanted) {
        const known = holders.get(name);
        if (known) known.add(from);
        else holders.set(name, new Set([from]));
      }
    },
    delete: remove,
    to: (name) => [...(holders.get(name) ?? [])],
    has: (name) => holders.has(name),
  };
}
