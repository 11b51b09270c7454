import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from './kube.ts';
import { type Mirror, type MirrorChange, runMirror } from './mirror.ts';
import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';

/** As long as an API server takes that is being restarted, and then some. */
const SYNC_MS = 60_000;

export type ObjectChange<T> = Exclude<MirrorChange<T>, { type: 'synced' }>;

/** Mirrors of several kinds, which end together. */
export interface Mirrors {
  /** Tells nothing before it has returned. `isNew`: since the first list. */
  add<T extends KubeObject>(
    resource: Resource<T>,
    selector: string,
    take: (change: ObjectChange<T>, isNew: boolean) => void,
  ): Mirror<T>;
  /** Each of those that were added has been listed. Rejects with what keeps one from that for too long. */
  listed(): Promise<void>;
  /** What keeps a watch away now; undefined: all of them work. */
  readonly trouble: Fault | undefined;
  close(): Promise<void>;
}

export function createMirrors(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  clock: Clock;
  roll: () => number;
  log: Log;
  /** Something keeps a watch away, or does not any more. */
  onTrouble?: () => void;
}): Mirrors {
  const { log } = options;
  const closing = new AbortController();
  const running: Promise<void>[] = [];
  const listed: Promise<void>[] = [];
  const troubles = new Map<string, Fault>();
  const troubleNow = (): Fault | undefined => troubles.values().next().value;

  return {
    add<T extends KubeObject>(
      resource: Resource<T>,
      selector: string,
      take: (change: ObjectChange<T>, isNew: boolean) => void,
    ) {
      const first = Promise.withResolvers<void>();
      const kind = resource.plural;
      const mirror = runMirror<T>(
        {
          ...options,
          resource,
          selector,
          onChange(change) {
            if (change.type === 'synced') first.resolve();
            else take(change, mirror.isSynced);
          },
          onTrouble(fault) {
            if (fault) troubles.set(kind, fault);
            else troubles.delete(kind);
            if (fault) log.warn({ kind, err: fault.message }, 'the watch of the cluster is broken');
            else log.info({ kind }, 'the watch of the cluster works again');
            options.onTrouble?.();
          },
        },
        closing.signal,
      );
      running.push(mirror.done);
      listed.push(first.promise);
      return mirror;
    },
    listed: () => withinTime(options.clock, Promise.all(listed), troubleNow),
    get trouble() {
      return troubleNow();
    },
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}

async function withinTime(
  clock: Clock,
  listed: Promise<unknown>,
  why: () => Fault | undefined,
): Promise<void> {
  const late = Promise.withResolvers<never>();
  const unknown = `the cluster has not told what there is within ${SYNC_MS / 1000}s`;
  const timer = clock.after(SYNC_MS, () => late.reject(why() ?? new Fault('unavailable', unknown)));
  try {
    await Promise.race([listed, late.promise]);
  } finally {
    timer.cancel();
  }
}
