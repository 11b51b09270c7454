import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { partsOfModelKey } from '#domain/names.ts';
import type { Kube } from '../api/kube.ts';
import { runMirror } from '../api/mirror.ts';
import { keyOf, type OwnerReference } from '../api/objects.ts';
import { isEnding, isHeld, makeOwnerReference, type ModelObject, MODELS } from './object.ts';
import { KEPT_BY_API } from './settle.ts';

/** The Model objects of the cluster, kept up to date. A cluster need not know of any. */
export interface ModelMirror {
  get(key: string): ModelObject | undefined;
  keys(): string[];
  /** Whether all there are have been listed. */
  readonly isSynced: boolean;
  /** Resolves when they have been listed, or could not be. */
  readonly looked: Promise<void>;
  /** What is made for a model belongs to this object: one that keeps its model. */
  ownerOf(key: string): OwnerReference | undefined;
  /** It keeps its model, or another does. */
  setKeeper(object: ModelObject, isKeeper: boolean): void;
  onChange(listener: ModelListener): void;
  close(): Promise<void>;
}

export interface ModelListener {
  /** It is there, is different, or is not there any more. */
  onObject(key: string): void;
  onListed(): void;
}

export function createModelMirror(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  clock: Clock;
  roll: () => number;
  log: Log;
}): ModelMirror {
  const { log } = options;
  const closing = new AbortController();
  const looked = Promise.withResolvers<void>();
  const listeners: ModelListener[] = [];
  /** By uid; of those that nobody has spoken of yet, their status tells. */
  const keepers = new Map<string | undefined, boolean>();
  let trouble = '';

  const mirror = runMirror<ModelObject>(
    {
      ...options,
      resource: MODELS,
      selector: '',
      onChange(change) {
        if (change.type === 'synced') looked.resolve();
        if (change.type === 'gone') keepers.delete(change.object.metadata.uid);
        for (const listener of listeners) {
          if (change.type === 'synced') listener.onListed();
          else listener.onObject(keyOf(change.object));
        }
      },
      onTrouble(fault) {
        looked.resolve();
        // It is tried again and again, perhaps for as long as the cluster lives.
        if (fault && fault.message !== trouble) {
          log.warn({ err: fault.message }, 'Model objects of the cluster are not followed');
        } else if (!fault) log.info({}, 'Model objects of the cluster are followed again');
        trouble = fault?.message ?? '';
      },
    },
    closing.signal,
  );

  function get(key: string): ModelObject | undefined {
    const { namespace, model } = partsOfModelKey(key);
    return mirror.get(namespace, model);
  }

  return {
    get,
    keys: () => Array.from(mirror.all(), keyOf),
    get isSynced() {
      return mirror.isSynced;
    },
    looked: looked.promise,
    ownerOf(key) {
      const object = get(key);
      if (!object || !isHeld(object) || isEnding(object)) return undefined;
      const isKeeper = keepers.get(object.metadata.uid) ?? wasKeeper(object);
      return isKeeper ? makeOwnerReference(object) : undefined;
    },
    setKeeper: ({ metadata: { uid } }, isKeeper) => void keepers.set(uid, isKeeper),
    onChange: (listener) => void listeners.push(listener),
    async close() {
      closing.abort();
      await mirror.done;
    },
  };
}

function wasKeeper({ status }: ModelObject): boolean {
  return status?.conditions?.every(({ reason }) => reason !== KEPT_BY_API) === true;
}
