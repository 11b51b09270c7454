import { isDeepStrictEqual } from 'node:util';
import { partsOfModelKey } from '#domain/names.ts';
import { backoffMs } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from '../api/kube.ts';
import type { ModelMirror } from './model-mirror.ts';
import {
  isEnding,
  isHeld,
  makeHold,
  makeRelease,
  makeTold,
  type ModelObject,
  MODELS,
  OBJECT_ACTOR,
} from './object.ts';
import type { ModelPlatform } from './platform.ts';
import { claim, isSettled, refusalOf, settle } from './settle.ts';
import { makeModelStatus, type ModelObjectStatus, type Refusal } from './status.ts';
import { createWorkQueue } from './work-queue.ts';

/**
 * Makes models what their objects in the cluster say, and tells there what became of them. Asked for by what either
 * side tells of a change, and by nothing else.
 *
 * 1. A model has one keeper: its object, or who applied it by way of the API. An object never changes, and never
 *    deletes, a model that is not its own.
 * 2. Before a model is made of an object, the object is held by a finalizer; it is let go when the model is gone.
 * 3. A model whose object has gone without that (somebody took the finalizer away) is kept, and is the API's then.
 * 4. An object is deleted only when its model is unused for as long as the object itself says (`retention`), and its
 *    model is what it says now.
 * 5. A status is written only when it is another one than was written before, and not faster than can be read.
 */
export interface ModelObjects {
  close(): Promise<void>;
}

/** For an API server that has others to serve. */
const AT_ONCE = 4;
const BETWEEN_STATUSES_MS = 500;
/** After what was refused: what it lacked, such as uploaded content, may be there now. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

/** What is remembered of an object while it is there. */
interface Memory {
  readonly uid: string | undefined;
  /** In a row. */
  failures: number;
  /** Of this generation; it is not tried again before `until`. */
  refused?: { readonly generation: number; readonly refusal: Refusal; readonly until: number };
  /** As told last: what the mirror shows may be older. */
  told?: ModelObjectStatus;
  quietUntil: number;
}

export function createModelObjects(options: {
  kube: Pick<Kube, 'apply' | 'merge' | 'remove'>;
  mirror: ModelMirror;
  platform: ModelPlatform;
  clock: Clock;
  log: Log;
}): ModelObjects {
  const { kube, mirror, platform, clock, log } = options;
  const memories = new Map<string, Memory>();
  /** As told since the last look: later somebody may have used it. */
  const unused = new Set<string>();
  const closing = new AbortController();
  const queue = createWorkQueue({ atOnce: AT_ONCE, clock, work });

  async function work(key: string): Promise<void> {
    const object = mirror.get(key);
    const isUnused = unused.delete(key);
    try {
      if (!object) await release(key);
      else if (isEnding(object)) await end(key, object);
      else await keep(key, object, isUnused);
    } catch (error) {
      if (closing.signal.aborted) return;
      log.warn({ model: key, err: messageOf(error) }, 'a Model object is not settled yet');
      queue.askAfter(key, waitOf(memoryOf(key, object)));
    }
  }

  async function keep(key: string, object: ModelObject, isUnused: boolean): Promise<void> {
    const memory = memoryOf(key, object);
    if (!isHeld(object)) await kube.apply(MODELS, makeHold(object), { force: true });
    const { namespace, model: name } = partsOfModelKey(key);
    const before = await platform.read(namespace, name);
    const foreign = await claim(object, before, platform);
    mirror.setKeeper(object, foreign === undefined);
    if (isUnused && !foreign && isSettled(object, before)) {
      await kube.remove(MODELS, { namespace, name }, object.metadata.uid);
      return;
    }
    if (foreign) delete memory.refused;
    const refusal = foreign ?? (await trySettle(object, before, memory));
    if (memory.refused) queue.askAfter(key, memory.refused.until - clock.now());
    const model = foreign ? undefined : await platform.read(namespace, name);
    await tell(key, object, { memory, model, refusal });
    memory.failures = memory.refused ? memory.failures : 0;
  }

  /** What was refused is not asked again for each change that has nothing to do with it. */
  async function trySettle(
    object: ModelObject,
    model: Parameters<typeof settle>[1],
    memory: Memory,
  ): Promise<Refusal | undefined> {
    const { generation = 0 } = object.metadata;
    const { refused } = memory;
    if (refused?.generation === generation && clock.now() < refused.until) return refused.refusal;
    try {
      await settle(object, model, platform);
      delete memory.refused;
      return undefined;
    } catch (error) {
      const refusal = refusalOf(error);
      memory.refused = { generation, refusal, until: clock.now() + waitOf(memory) };
      return refusal;
    }
  }

  async function tell(
    key: string,
    object: ModelObject,
    seen: Pick<Parameters<typeof makeModelStatus>[0], 'model' | 'refusal'> & { memory: Memory },
  ): Promise<void> {
    const { memory, model, refusal } = seen;
    const { generation = 0 } = object.metadata;
    const before = memory.told ?? object.status;
    const now = clock.now();
    const status = makeModelStatus({ generation, before, model, refusal, now });
    if (isDeepStrictEqual(status, before)) return;
    if (now < memory.quietUntil) {
      queue.askAfter(key, memory.quietUntil - now);
      return;
    }
    memory.quietUntil = now + BETWEEN_STATUSES_MS;
    await kube.apply(MODELS, makeTold(object, status), { force: true, subresource: 'status' });
    memory.told = status;
  }

  async function end(key: string, object: ModelObject): Promise<void> {
    if (!isHeld(object)) return;
    const { namespace, model: name } = partsOfModelKey(key);
    const model = await platform.read(namespace, name);
    if (model?.status.owner === 'kubernetes') await platform.remove(OBJECT_ACTOR, namespace, name);
    await kube.merge(MODELS, { namespace, name }, makeRelease(object));
    memories.delete(key);
  }

  async function release(key: string): Promise<void> {
    memories.delete(key);
    const { namespace, model: name } = partsOfModelKey(key);
    const model = await platform.read(namespace, name);
    if (model?.status.owner !== 'kubernetes' || !mirror.isSynced) return;
    log.warn({ model: key }, 'its Model object is gone without a word: the model is kept');
    await platform.setOwned(OBJECT_ACTOR, namespace, name, false);
  }

  function memoryOf(key: string, object: ModelObject | undefined): Memory {
    const uid = object?.metadata.uid;
    const known = memories.get(key);
    if (known && known.uid === uid) return known;
    const made: Memory = { uid, failures: 0, quietUntil: 0 };
    memories.set(key, made);
    return made;
  }

  function waitOf(memory: Memory): number {
    memory.failures += 1;
    return backoffMs(memory.failures, FIRST_WAIT_MS, LONGEST_WAIT_MS);
  }

  /** Those that lost their object while Rouse was away, too. */
  async function askAll(): Promise<void> {
    for (const key of mirror.keys()) queue.ask(key);
    try {
      for (const key of await platform.owned()) queue.ask(key);
    } catch (error) {
      log.error({ err: messageOf(error) }, 'models of the cluster cannot be listed');
    }
  }

  mirror.onChange({ onObject: (key) => queue.ask(key), onListed: () => void askAll() });
  platform.onChange((key) => {
    if (mirror.get(key)) queue.ask(key);
  }, closing.signal);
  platform.onUnused((key) => {
    unused.add(key);
    queue.ask(key);
  }, closing.signal);
  if (mirror.isSynced) void askAll();
  return {
    async close() {
      closing.abort();
      await queue.close();
    },
  };
}
