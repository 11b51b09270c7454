import type { RoutingInstance, RoutingKey, RoutingModel } from '#domain/routing.ts';
import type { BusClient, Link } from './bus.ts';
import type { Delta, Downward, Upward } from './messages.ts';

/** A change of the routing state, to be applied in one turn, removals first. */
export interface StateChange {
  /** The lists are all there is; what is not in them is gone. */
  readonly full: boolean;
  readonly models: readonly RoutingModel[];
  readonly removedModels: readonly string[];
  readonly instances: readonly RoutingInstance[];
  readonly removedInstances: readonly string[];
  readonly keys: readonly RoutingKey[];
  readonly removedKeys: readonly string[];
}

const NOTHING_REMOVED = { removedModels: [], removedInstances: [], removedKeys: [] };

export interface Subscriber {
  /** Dropped while there is no link. */
  send(message: Exclude<Upward, { type: 'hello' | 'metrics' }>): void;
  /** There is a new link, and the hello is sent: whatever control must know is to be said again. */
  onLink(listener: () => void): void;
  onScrape(render: () => string | Promise<string>): void;
  close(): Promise<void>;
}

/**
 * The data plane's side of the routing state. Invariants:
 * 1. `onState` is called with changes that follow each other without a gap; after a gap or a new epoch the
 *    next call is a full one.
 * 2. While control is away nothing is called: the last good state holds.
 */
export function createSubscriber(options: {
  client: BusClient;
  dataPlane: string;
  onState: (change: StateChange) => void;
}): Subscriber {
  const { client, dataPlane, onState } = options;
  let link: Link<Upward, Downward> | undefined;
  let has: { readonly epoch: string; readonly version: number } | undefined;
  /** A gap was found on this link: until the snapshot that was asked for, deltas are of no use. */
  let asked = false;
  let listener: (() => void) | undefined;
  let render: (() => string | Promise<string>) | undefined;

  function hello(known: typeof has): void {
    link?.send({ type: 'hello', dataPlane, ...known });
  }

  function take(message: Downward): void {
    if (message.type === 'snapshot') {
      asked = false;
      has = { epoch: message.epoch, version: message.version };
      const { models, instances, keys = [] } = message;
      onState({ full: true, models, instances, keys, ...NOTHING_REMOVED });
    } else if (message.type === 'delta') follow(message);
    else if (message.type === 'scrape') void answer(message.id);
  }

  function follow(delta: Delta): void {
    if (asked) return;
    if (has?.epoch !== delta.epoch || delta.version !== has.version + 1) {
      asked = true;
      hello(undefined);
      return;
    }
    has = { epoch: delta.epoch, version: delta.version };
    const { models = [], removedModels = [], instances = [], removedInstances = [] } = delta;
    const { keys = [], removedKeys = [] } = delta;
    onState({
      full: false,
      models,
      removedModels,
      instances,
      removedInstances,
      keys,
      removedKeys,
    });
  }

  async function answer(id: number): Promise<void> {
    const asker = link;
    asker?.send({ type: 'metrics', id, text: await metrics() });
  }

  /** Metrics that cannot be made are left out; that is no reason for a data plane to end. */
  async function metrics(): Promise<string> {
    try {
      return (await render?.()) ?? '';
    } catch {
      return '';
    }
  }

  client.onLink((made) => {
    link = made;
    asked = false;
    made.onClose(() => {
      if (link === made) link = undefined;
    });
    hello(has);
    made.onMessage(take);
    listener?.();
  });
  return {
    send: (message) => link?.send(message),
    onLink(wanted) {
      listener = wanted;
      if (link) wanted();
    },
    onScrape(wanted) {
      render = wanted;
    },
    close: () => client.close(),
  };
}
