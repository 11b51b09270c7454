import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '#knative/api/objects.ts';
import type { Resource } from '#knative/api/resources.ts';

/** Objects of the kind that a cluster keeps, with versions, and the log of changes that watches are fed from. */

export interface Stored extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly resourceVersion: string };
  readonly spec?: unknown;
  readonly status?: unknown;
  /** Who applied it last. */
  readonly managers?: string;
  /** Those that who applies has set, and nobody before. */
  readonly appliedFinalizers?: readonly string[];
  /** Of a pod: its output. */
  readonly log?: string;
}

export interface StoreEvent {
  readonly version: number;
  readonly kind: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored;
}

export interface ObjectStore {
  /** Makes or replaces. A spec that differs makes another generation. */
  put(resource: Resource, object: KubeObject): Stored;
  get(resource: Resource, namespace: string, name: string): Stored | undefined;
  delete(resource: Resource, namespace: string, name: string): Stored | undefined;
  all(resource: Resource): Stored[];
  /** Events of a kind after a version; undefined: they are not known any more. */
  since(kind: string, version: number): readonly StoreEvent[] | undefined;
  /** Forgets all events so far. */
  compact(): void;
  onEvent(listener: (event: StoreEvent) => void): () => void;
  readonly version: number;
}

export function kindOf({ root, plural }: Resource): string {
  return `${root}/${plural}`;
}

export function createObjectStore(): ObjectStore {
  const objects = new Map<string, Map<string, Stored>>();
  const listeners = new Set<(event: StoreEvent) => void>();
  let events: StoreEvent[] = [];
  let version = 100;
  let oldest = 0;

  function bucket(resource: Resource): Map<string, Stored> {
    const kind = kindOf(resource);
    const known = objects.get(kind) ?? new Map<string, Stored>();
    objects.set(kind, known);
    return known;
  }

  function tell(resource: Resource, type: StoreEvent['type'], object: Stored): void {
    const event = { version, kind: kindOf(resource), type, object };
    events.push(event);
    for (const listener of listeners) listener(event);
  }

  return {
    put(resource, object) {
      const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
      const known = bucket(resource).get(key);
      const generation = known?.metadata.generation ?? 0;
      const isSame = isDeepStrictEqual(known?.spec, (object as Stored).spec);
      version++;
      const stored = {
        ...object,
        metadata: {
          creationTimestamp: new Date().toISOString(),
          ...object.metadata,
          uid: known?.metadata.uid ?? randomUUID(),
          generation: isSame && known ? generation : generation + 1,
          resourceVersion: String(version),
        },
      } as Stored;
      bucket(resource).set(key, stored);
      tell(resource, known ? 'MODIFIED' : 'ADDED', stored);
      return stored;
    },
    get: (resource, namespace, name) => bucket(resource).get(`${namespace}/${name}`),
    delete(resource, namespace, name) {
      const known = bucket(resource).get(`${namespace}/${name}`);
      if (!known) return undefined;
      bucket(resource).delete(`${namespace}/${name}`);
      version++;
      const last = { ...known, metadata: { ...known.metadata, resourceVersion: String(version) } };
      tell(resource, 'DELETED', last);
      return last;
    },
    all: (resource) => Array.from(bucket(resource).values()),
    since(kind, from) {
      if (from < oldest) return undefined;
      return events.filter((event) => event.kind === kind && event.version > from);
    },
    compact() {
      events = [];
      oldest = version;
    },
    onEvent(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    get version() {
      return version;
    },
  };
}
