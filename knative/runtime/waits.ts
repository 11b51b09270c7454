import type { Instance, RuntimeEvent } from '#runtime/runtime.ts';

/**
 * Starts that wait for the cluster itself: there is no pod yet that could say so. Each is an instance that starts,
 * until the cluster has taken the order or it is not wanted any more.
 */
export interface Waits {
  /** From now on this waits; undefined: it does not any more. */
  set(source: string, instance: Instance | undefined): void;
  list(revision?: string): Instance[];
}

export function createWaits(emit: (event: RuntimeEvent) => void): Waits {
  const waiting = new Map<string, Instance>();

  return {
    set(source, instance) {
      const known = waiting.get(source);
      if (instance === undefined) {
        if (!waiting.delete(source) || !known) return;
        emit({ type: 'stopped', instance: known });
      } else if (known?.waitingFor !== instance.waitingFor) {
        const told = known ? { ...known, waitingFor: instance.waitingFor } : instance;
        waiting.set(source, told);
        emit({ type: 'instance', instance: told });
      }
    },
    list(revision) {
      const all = Array.from(waiting.values());
      return revision === undefined ? all : all.filter((each) => each.revision === revision);
    },
  };
}
