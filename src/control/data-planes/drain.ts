/**
 * Who still has to let go of an instance that is on its way out.
 *
 * Invariants:
 * 1. `release` is called once for each instance that began to drain, after every data plane that was there
 *    has let go of it or has left.
 * 2. A data plane that joins meanwhile is asked too: it may be one that had lost its link and still has
 *    requests in flight.
 * 3. What drained already when control started is not released before a data plane has said something of it:
 *    that none is there yet means only that their links are not. The runtime's drain time bounds it.
 */
export interface Drain {
  joined(dataPlane: string): void;
  left(dataPlane: string): void;
  begin(instance: string): void;
  /** It drained already when control started. */
  adopt(instance: string): void;
  drained(dataPlane: string, instance: string): void;
  /** It has gone by itself. */
  forget(instance: string): void;
}

export function createDrain(release: (instance: string) => void): Drain {
  const planes = new Set<string>();
  /** `done`: who has said so, and need not be asked again when it comes back. */
  const pending = new Map<string, { holders: Set<string>; done: Set<string> }>();

  function letGo(dataPlane: string, instance: string): void {
    const holders = pending.get(instance)?.holders;
    if (!holders) return;
    holders.delete(dataPlane);
    if (holders.size > 0) return;
    pending.delete(instance);
    release(instance);
  }

  function hold(instance: string): void {
    pending.set(instance, { holders: new Set(planes), done: new Set() });
  }

  return {
    joined(dataPlane) {
      if (planes.has(dataPlane)) return;
      planes.add(dataPlane);
      for (const { holders, done } of pending.values()) {
        if (!done.has(dataPlane)) holders.add(dataPlane);
      }
    },
    left(dataPlane) {
      planes.delete(dataPlane);
      for (const instance of pending.keys()) letGo(dataPlane, instance);
    },
    begin(instance) {
      if (pending.has(instance)) return;
      if (planes.size === 0) release(instance);
      else hold(instance);
    },
    adopt: hold,
    drained(dataPlane, instance) {
      pending.get(instance)?.done.add(dataPlane);
      letGo(dataPlane, instance);
    },
    forget(instance) {
      pending.delete(instance);
    },
  };
}
