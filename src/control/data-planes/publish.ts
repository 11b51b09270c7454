import { isDeepStrictEqual } from 'node:util';
import type { Publisher } from '#bus/publisher.ts';
import type { KeyRecord } from '#domain/records.ts';
import type { RoutingInstance, RoutingModel } from '#domain/routing.ts';
import type { Instance } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';
import { concurrencyOf } from '../records/facts.ts';
import type { Dozing } from './dozing.ts';
import {
  makeRoutingInstance,
  makeRoutingKey,
  makeRoutingModel,
  type RoutingFacts,
} from './routing.ts';

/** The bus, as control needs it. */
export type RoutingOutlet = Pick<
  Publisher,
  'update' | 'lease' | 'reply' | 'onUpward' | 'onJoined' | 'onGap' | 'onLeft'
>;

/**
 * Tells the data planes what has changed, and only that.
 *
 * Invariants: a model's generation changes exactly when its routing does; an instance is told once ready
 * and at most once draining, unless it is parked between, and what was never told is not removed.
 */
export interface Publishing {
  /** All models, keys and instances that run already, at once: the first snapshot. */
  all(first: { keys: readonly KeyRecord[]; running: readonly Instance[] }): void;
  model(key: string): void;
  /** True when the data planes know it. */
  instance(instance: Instance): boolean;
  instanceGone(id: string): void;
  key(key: KeyRecord): void;
  keyGone(id: string): void;
}

/** Leaves room for generations within a millisecond, so that those of the next start are greater. */
const GENERATIONS_PER_MS = 1000;

export function createPublishing(options: {
  catalog: Catalog;
  outlet: RoutingOutlet;
  facts: RoutingFacts;
  dozing: Pick<Dozing, 'isOpen' | 'has'>;
  startedAt: number;
  /** Whether there may be several data planes, which share the slots of an instance. */
  isShared: boolean;
}): Publishing {
  const { catalog, outlet, facts, dozing } = options;
  const models = new Map<string, RoutingModel>();
  const instances = new Map<string, RoutingInstance['state']>();
  let generation = Math.floor(options.startedAt) * GENERATIONS_PER_MS;

  function viewOf(instance: Instance): RoutingInstance | undefined {
    const isLeased = options.isShared && concurrencyOf(catalog, instance.revision) > 0;
    return makeRoutingInstance(instance, { isLeased, dozes: dozing.isOpen(instance.id) });
  }

  function renew(key: string): RoutingModel | undefined {
    const entry = catalog.model(key);
    if (!entry) return undefined;
    const before = models.get(key);
    const next = makeRoutingModel(entry, before?.generation ?? ++generation, facts);
    if (before && isDeepStrictEqual(before, next)) return undefined;
    const told = before ? { ...next, generation: ++generation } : next;
    models.set(key, told);
    return told;
  }

  function instanceGone(id: string): void {
    if (instances.delete(id)) outlet.update({ removedInstances: [id] });
  }

  return {
    all(first) {
      const keys = catalog.keys({ prefix: '', limit: catalog.size });
      const told = keys.flatMap((key) => renew(key) ?? []);
      const running = first.running.flatMap((instance) => viewOf(instance) ?? []);
      for (const { id, state } of running) instances.set(id, state);
      outlet.update({ models: told, keys: first.keys.map(makeRoutingKey), instances: running });
    },
    model(key) {
      if (!catalog.model(key)) {
        if (models.delete(key)) outlet.update({ removedModels: [key] });
        return;
      }
      const changed = renew(key);
      if (changed) outlet.update({ models: [changed] });
    },
    instance(instance) {
      const told = instances.get(instance.id);
      const view = viewOf(instance);
      if (!view) return false;
      const isAsked = told === 'parked' && !dozing.has(view.id);
      if (view.state === 'draining' && (told === undefined || isAsked)) {
        // Nobody uses one that was never told, or only as one to ask for.
        instanceGone(view.id);
        return false;
      }
      if (told !== view.state) {
        instances.set(instance.id, view.state);
        // They have let go of what has been parked: it is a new one to them.
        const isNew = told === 'draining' && view.state !== 'draining';
        outlet.update({ ...(isNew && { removedInstances: [view.id] }), instances: [view] });
      }
      return true;
    },
    instanceGone,
    key: (key) => outlet.update({ keys: [makeRoutingKey(key)] }),
    keyGone: (id) => outlet.update({ removedKeys: [id] }),
  };
}
