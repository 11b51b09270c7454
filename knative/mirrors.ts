import type { Clock } from '#lib/clock.ts';
import type { Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from './kube.ts';
import { type Mirror, type MirrorChange, runMirror } from './mirror.ts';
import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';

export type ObjectChange<T> = Exclude<MirrorChange<T>, { type: 'synced' }>;

/** Mirrors of several kinds, which end together. */
export interface Mirrors {
  /** Tells nothing before it has returned. `isNew`: since the first list. */
  add<T extends KubeObject>(
    resource: Resource<T>,
    selector: string,
    take: (change: ObjectChange<T>, isNew: boolean) => void,
  ): Mirror<T>;
  /** Each of those that were added has been listed. */
  listed(): Promise<unknown>;
  /** What kept a watch away last. */
  readonly lastTrouble: Fault | undefined;
  close(): Promise<void>;
}

export function createMirrors(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  clock: Clock;
  roll: () => number;
  log: Log;
}): Mirrors {
  const { log } = options;
  const closing = new AbortController();
  const running: Promise<void>[] = [];
  const listed: Promise<void>[] = [];
  let lastTrouble: Fault | undefined;

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
            lastTrouble = fault;
            if (fault) log.warn({ kind, err: fault.message }, 'the watch of the cluster is broken');
            else log.info({ kind }, 'the watch of the cluster works again');
          },
        },
        closing.signal,
      );
      running.push(mirror.done);
      listed.push(first.promise);
      return mirror;
    },
    listed: () => Promise.all(listed),
    get lastTrouble() {
      return lastTrouble;
    },
    async close() {
      closing.abort();
      await Promise.all(running);
    },
  };
}
