import type { Clock, Timer } from '#lib/clock.ts';
import type { Instance, RuntimeEvent } from '#runtime/runtime.ts';
import type { Failure } from './pods.ts';

/**
 * Tells of failures as a runtime does: with how many there were in a row, and when the next try is. The tries are
 * those of Kubernetes, which waits ever longer between them; it is only told when they will be.
 *
 * 1. What lasts is told when it begins, and again after each wait for as long as it lasts.
 * 2. Failures in a row are those of one revision since an instance of it was ready.
 */
export interface Failures {
  /** An instance has ended. */
  ended(failure: Failure): void;
  /** From now on this keeps a revision from starting; undefined: it does not any more. */
  lasts(source: string, failure: Failure | undefined): void;
  becameReady(revision: string): void;
  close(): void;
}

/** As kubelet waits before it starts a container anew: at once, then 10 s, doubled each time. */
const FIRST_WAIT_MS = 10_000;
const LONGEST_WAIT_MS = 300_000;

export function createFailures(options: {
  clock: Clock;
  emit: (event: RuntimeEvent) => void;
}): Failures {
  const { clock, emit } = options;
  const counts = new Map<string, number>();
  const lasting = new Map<string, { failure: Failure; timer: Timer }>();

  function tell({ instance, reason, lastLines }: Failure): number {
    const { revision, readyAt } = instance;
    const before = counts.get(revision) ?? 0;
    const failures = readyAt > 0 ? 0 : before + 1;
    counts.set(revision, failures);
    const retryAt = clock.now() + waitOf(failures);
    emit({ type: 'failed', instance, reason, lastLines, failures, retryAt });
    return retryAt;
  }

  function tellAgain(source: string): void {
    const known = lasting.get(source);
    if (!known) return;
    const retryAt = tell(known.failure);
    // Told to others, who may have ended it.
    if (lasting.get(source) !== known) return;
    known.timer = clock.after(retryAt - clock.now(), () => tellAgain(source));
  }

  return {
    ended: (failure) => void tell(failure),
    lasts(source, failure) {
      const known = lasting.get(source);
      if (known && failure) known.failure = failure;
      else if (known) {
        known.timer.cancel();
        lasting.delete(source);
      } else if (failure) {
        lasting.set(source, { failure, timer: { cancel: () => {} } });
        tellAgain(source);
      }
    },
    becameReady: (revision) => void counts.delete(revision),
    close() {
      for (const { timer } of lasting.values()) timer.cancel();
      lasting.clear();
    },
  };
}

function waitOf(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1));
}

/** In place of an instance that never came to be. */
export function makeMissing(id: string, revision: string, now: number): Instance {
  return {
    id,
    revision,
    state: 'starting',
    origin: 'fresh',
    address: undefined,
    askedAt: now,
    startedAt: 0,
    readyAt: 0,
    parkedAt: 0,
    memoryBytes: 0,
    cpuSeconds: 0,
  };
}
