import type { RoutingInstance, RoutingKey, RoutingModel } from '#domain/routing.ts';
import { Fault } from '#lib/fault.ts';
import type { Delta, Snapshot } from './messages.ts';

/** Entries in a list of one message: some megabytes at 2 KB a model, far from what a link carries. */
const PART_ENTRIES = 2000;

/** What a message says, in full. */
export interface Lists {
  readonly models: readonly RoutingModel[];
  readonly removedModels: readonly string[];
  readonly instances: readonly RoutingInstance[];
  readonly removedInstances: readonly string[];
  readonly keys: readonly RoutingKey[];
  readonly removedKeys: readonly string[];
}

interface Sink {
  send(message: Snapshot | Delta): void;
}

/**
 * Sends a message as one or several. An entry that no link could carry is left out, and told: the rest of the
 * state is worth more than none.
 */
export function sendParts(
  sink: Sink,
  message: Snapshot | Delta,
  onLeftOut: (why: string) => void,
): void {
  const parts = split(message, PART_ENTRIES);
  for (const [at, part] of parts.entries()) {
    sendPart(sink, at < parts.length - 1 ? { ...part, more: true } : part, onLeftOut);
  }
}

function sendPart(sink: Sink, part: Snapshot | Delta, onLeftOut: (why: string) => void): void {
  try {
    sink.send(part);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'too_large') throw error;
    const halves = split(part, Math.ceil(longestOf(part) / 2));
    if (halves.length > 1) {
      for (const [at, half] of halves.entries()) {
        sendPart(sink, at === 0 ? { ...half, more: true } : half, onLeftOut);
      }
    } else {
      onLeftOut(error.message);
      sink.send({ ...part, models: [], instances: [], keys: [] });
    }
  }
}

/** What the parts of one message say together. */
export function joinParts(parts: readonly (Snapshot | Delta)[]): Lists {
  const lists = parts.map(listsOf);
  const [only] = lists;
  if (lists.length === 1 && only) return only;
  return {
    models: lists.flatMap((part) => part.models),
    removedModels: lists.flatMap((part) => part.removedModels),
    instances: lists.flatMap((part) => part.instances),
    removedInstances: lists.flatMap((part) => part.removedInstances),
    keys: lists.flatMap((part) => part.keys),
    removedKeys: lists.flatMap((part) => part.removedKeys),
  };
}

function listsOf(part: Snapshot | Delta): Lists {
  const { models = [], instances = [], keys = [] } = part;
  const removed: Partial<Delta> = part.type === 'delta' ? part : {};
  const { removedModels = [], removedInstances = [], removedKeys = [] } = removed;
  return { models, removedModels, instances, removedInstances, keys, removedKeys };
}

function longestOf({ models = [], instances = [], keys = [] }: Snapshot | Delta): number {
  return Math.max(models.length, instances.length, keys.length);
}

/** Parts of at most `size` entries in a list. Removals are short: they all go with the first. */
function split(message: Snapshot | Delta, size: number): (Snapshot | Delta)[] {
  const { models = [], instances = [], keys = [] } = message;
  const longest = longestOf(message);
  if (longest <= size) return [message];
  const parts: (Snapshot | Delta)[] = [];
  const { type, epoch, version, more } = message;
  for (let at = 0; at < longest; at += size) {
    const lists = {
      models: models.slice(at, at + size),
      instances: instances.slice(at, at + size),
      keys: keys.slice(at, at + size),
    };
    parts.push(
      at === 0
        ? { ...message, ...lists }
        : { type, epoch, version, ...lists, ...(more && { more }) },
    );
  }
  return parts;
}
