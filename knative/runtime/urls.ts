import { addressOf } from '#domain/address.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Instance, RuntimeEvent, Wanted, Workload } from '#runtime/runtime.ts';

/** Revisions of runtime `url`: they run elsewhere, and are one ready instance until there shall be none at most. */
export interface UrlInstances {
  /** Absent `wanted`: it is prepared. */
  want(workload: Workload, wanted?: Wanted): void;
  release(id: string): void;
  list(revision?: string): Instance[];
  close(): void;
}

export function createUrlInstances(options: {
  clock: Clock;
  emit: (event: RuntimeEvent) => void;
}): UrlInstances {
  const { clock, emit } = options;
  const known = new Map<string, { instance: Instance; drained: Timer | undefined }>();
  let count = 0;

  function start({ key, spec }: Workload): void {
    const now = clock.now();
    const instance: Instance = {
      id: `url-${++count}`,
      revision: key,
      state: 'ready',
      origin: 'fresh',
      address: addressOf(spec, 'cluster'),
      askedAt: now,
      startedAt: now,
      readyAt: now,
      parkedAt: 0,
      memoryBytes: 0,
      cpuSeconds: 0,
    };
    known.set(instance.id, { instance, drained: undefined });
    emit({ type: 'instance', instance });
  }

  function drain(instance: Instance, ms: number): void {
    const draining = { ...instance, state: 'draining' } as const;
    const drained = clock.after(ms, () => stop(instance.id));
    known.set(instance.id, { instance: draining, drained });
    emit({ type: 'instance', instance: draining });
  }

  function stop(id: string): void {
    const one = known.get(id);
    if (one?.drained === undefined) return;
    one.drained.cancel();
    known.delete(id);
    emit({ type: 'stopped', instance: one.instance });
  }

  function list(revision?: string): Instance[] {
    const all = Array.from(known.values(), ({ instance }) => instance);
    return revision === undefined ? all : all.filter((one) => one.revision === revision);
  }

  return {
    want(workload, wanted) {
      const ready = list(workload.key).find(({ state }) => state === 'ready');
      if (wanted?.max === 0) {
        if (ready) drain(ready, workload.spec.timeouts.drain);
      } else if (!ready) start(workload);
    },
    release: stop,
    list,
    close() {
      for (const { drained } of known.values()) drained?.cancel();
    },
  };
}
