import { formatAddress } from '#domain/address.ts';
import { modelKey } from '#domain/names.ts';
import type { RoutingInstance } from '#domain/routing.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { BackendAddress } from './endpoints.ts';
import { HOLD_MS, makeBackendInstance, makeBackendModel, modelNameOf } from './routing.ts';
import { type BackendName, backendKey } from './rules.ts';

/** What the data plane is told of backends, in the words of the bus. */
export interface BackendChange {
  readonly models?: readonly ReturnType<typeof makeBackendModel>[];
  readonly removedModels?: readonly string[];
  readonly instances?: readonly RoutingInstance[];
  readonly removedInstances?: readonly string[];
}

/**
 * The backends that the data plane knows, with their endpoints.
 *
 * Invariants:
 *  1. A backend is there from before the first rule leads to it until nobody who was on the way to it can still wait.
 *  2. An endpoint that leaves gets no more requests, and is forgotten when the last one there has ended.
 *  3. One that comes back is another one: it has another id.
 */
export interface Backends {
  /** It is there, with these endpoints. */
  set(backend: BackendName, addresses: readonly BackendAddress[]): void;
  /** No rule leads there any more. */
  release(backend: BackendName): void;
  onDrained(instance: string): void;
  close(): void;
}

interface Backend {
  readonly name: BackendName;
  /** By address. */
  readonly endpoints: Map<string, RoutingInstance>;
  leaving: Timer | undefined;
}

/** Whoever waits is served or refused by then. */
const LINGER_MS = HOLD_MS + 1000;

export function createBackends(options: {
  publish: (change: BackendChange) => void;
  clock: Clock;
}): Backends {
  const { publish, clock } = options;
  const backends = new Map<string, Backend>();
  const draining = new Set<string>();
  let made = 0;

  function add(name: BackendName): Backend {
    const backend: Backend = { name, endpoints: new Map(), leaving: undefined };
    backends.set(backendKey(name), backend);
    return backend;
  }

  function makeInstance(name: BackendName, address: BackendAddress): RoutingInstance {
    made += 1;
    const id = `${backendKey(name)}@${textOf(address)}#${made}`;
    return makeBackendInstance(id, name, address, clock.now());
  }

  /** What changes with these endpoints, in the words of the bus. */
  function change(backend: Backend, addresses: readonly BackendAddress[]): RoutingInstance[] {
    const wanted = new Map(addresses.map((address) => [textOf(address), address]));
    const changed: RoutingInstance[] = [];
    for (const [text, instance] of backend.endpoints) {
      if (wanted.has(text)) continue;
      backend.endpoints.delete(text);
      draining.add(instance.id);
      changed.push({ ...instance, state: 'draining' });
    }
    for (const [text, address] of wanted) {
      if (backend.endpoints.has(text)) continue;
      const instance = makeInstance(backend.name, address);
      backend.endpoints.set(text, instance);
      changed.push(instance);
    }
    return changed;
  }

  function remove(backend: Backend): void {
    backends.delete(backendKey(backend.name));
    const instances = change(backend, []);
    if (instances.length > 0) publish({ instances });
    publish({ removedModels: [modelKey(backend.name.namespace, modelNameOf(backend.name))] });
  }

  return {
    set(name, addresses) {
      const known = backends.get(backendKey(name));
      known?.leaving?.cancel();
      const backend = known ?? add(name);
      backend.leaving = undefined;
      const instances = change(backend, addresses);
      if (!known) publish({ models: [makeBackendModel(name)], instances });
      else if (instances.length > 0) publish({ instances });
    },
    release(name) {
      const backend = backends.get(backendKey(name));
      if (!backend || backend.leaving) return;
      backend.leaving = clock.after(LINGER_MS, () => remove(backend));
    },
    onDrained(instance) {
      if (draining.delete(instance)) publish({ removedInstances: [instance] });
    },
    close() {
      for (const { leaving } of backends.values()) leaving?.cancel();
    },
  };
}

function textOf(address: BackendAddress): string {
  return `${formatAddress(address)}${address.h2c ? '+h2c' : ''}`;
}
