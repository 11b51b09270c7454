import type { RoutingInstance, RoutingKey, RoutingModel } from '#domain/routing.ts';
import { modelKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import type { BusHost, Link } from './bus.ts';
import type {
  Delta,
  Downward,
  Lease,
  NewLease,
  Question,
  RevisionWaits,
  Snapshot,
  Upward,
} from './messages.ts';
import { sendParts } from './parts.ts';
import { createPolls } from './polls.ts';
import { createMailbox } from './mailbox.ts';
import type { RequestReply } from './requests.ts';

/** A data plane that was away for longer than so many changes gets a snapshot, which is smaller by then. */
const KEPT_DELTAS = 1000;
/** Prometheus waits 10 s by default; a data plane that is busy for a tenth of that is better left out. */
const SCRAPE_MS = 1000;
/** Somebody waits for the answer, and can do without those that are late. */
const ASK_MS = 250;

export type RoutingChange = Omit<Delta, 'type' | 'epoch' | 'version' | 'more'>;

/** What a data plane reports. */
export type Report = Exclude<Upward, { type: 'hello' | 'metrics' | 'ask' | 'told' }>;

/** What a data plane answered. */
interface Scraped {
  readonly dataPlane: string;
  /** In Prometheus' text form. */
  readonly text: string;
}

export interface Publisher {
  /** Changes the state and tells every data plane. */
  update(change: RoutingChange): void;
  onUpward(listener: (dataPlane: string, message: Report) => void): void;
  /** To one data plane, after all changes so far; lost when it has no link. */
  lease(dataPlane: string, leases: readonly NewLease[]): void;
  /** To what it has asked on the link that it has; lost when that has ended. */
  reply(dataPlane: string, id: number, reply: RequestReply): void;
  /**
   * It has said hello on a new link; what was sent over the one before may be lost, whether or not that has ended.
   * `leases`: slots that it may be using. It may also hold requests of an instance that is to go.
   */
  onJoined(listener: (dataPlane: string, leases: readonly Lease[]) => void): void;
  /** It found something missing in what came over its link, and has just been sent all of the state again. */
  onGap(listener: (dataPlane: string) => void): void;
  /** Its link ended, and it has no other. */
  onLeft(listener: (dataPlane: string) => void): void;
  /** The metrics of the data planes that answer in time. */
  scrape(): Promise<Scraped[]>;
  close(): Promise<void>;
}

/**
 * Control's side of the routing state. Invariants:
 * 1. A data plane hears nothing before its hello, and nothing before the first update: an empty state that
 *    only means "not loaded yet" never replaces the last good one.
 * 2. After that, what it has been sent is exactly this state: by deltas without a gap, or by a snapshot.
 * 3. A data plane has one link, its newest; `onLeft` is called when that one ends.
 * 4. However large the state is, it arrives: in parts that a link can carry.
 */
export function createPublisher(options: {
  host: BusHost;
  /** New with each start of control. */
  epoch: string;
  clock: Clock;
  keepDeltas?: number;
  log?: Log;
}): Publisher {
  const { host, epoch, clock, keepDeltas = KEPT_DELTAS, log } = options;
  const models = new Map<string, RoutingModel>();
  const instances = new Map<string, RoutingInstance>();
  const keys = new Map<string, RoutingKey>();
  const deltas: Delta[] = [];
  const joined = new Map<string, Link<Downward, Upward>>();
  /** How many gaps each that has joined has told of on its link. */
  const gapsOf = new Map<string, number>();
  const reports = createMailbox<{ dataPlane: string; message: Report }>();
  const arrivals = createMailbox<{ dataPlane: string; leases: readonly Lease[] }>();
  const gaps = createMailbox<string>();
  const departures = createMailbox<string>();
  const scrapes = createPolls<Downward, string>(clock, SCRAPE_MS);
  const questions = createPolls<Downward, RevisionWaits>(clock, ASK_MS);
  let version = 0;

  function update(change: RoutingChange): void {
    for (const key of change.removedModels ?? []) models.delete(key);
    for (const id of change.removedInstances ?? []) instances.delete(id);
    for (const id of change.removedKeys ?? []) keys.delete(id);
    for (const key of change.keys ?? []) keys.set(key.id, key);
    for (const model of change.models ?? [])
      models.set(modelKey(model.namespace, model.name), model);
    for (const instance of change.instances ?? []) instances.set(instance.id, instance);
    version++;
    const delta: Delta = { ...change, type: 'delta', epoch, version };
    deltas.push(delta);
    if (deltas.length > keepDeltas) deltas.shift();
    for (const link of joined.values()) tell(link, version === 1 ? snapshot() : delta);
  }

  function tell(link: Link<Downward, Upward>, message: Snapshot | Delta): void {
    sendParts(link, message, (why) => log?.error({ why }, 'the data planes are not told of it'));
  }

  function snapshot(): Snapshot {
    return {
      type: 'snapshot',
      epoch,
      version,
      models: [...models.values()],
      instances: [...instances.values()],
      keys: [...keys.values()],
    };
  }

  /** What somebody who has this state lacks. */
  function since(had: { epoch?: string; version?: number }): readonly (Snapshot | Delta)[] {
    if (version === 0) return [];
    const missing = had.epoch === epoch ? version - (had.version ?? -1) : Infinity;
    if (missing < 0 || missing > deltas.length) return [snapshot()];
    return deltas.slice(deltas.length - missing);
  }

  function join(dataPlane: string, link: Link<Downward, Upward>, leases: readonly Lease[]): void {
    const former = joined.get(dataPlane);
    if (former === link) {
      gapsOf.set(dataPlane, gapsOf.get(dataPlane)! + 1);
      gaps.deliver(dataPlane);
      return;
    }
    joined.set(dataPlane, link);
    gapsOf.set(dataPlane, 0);
    former?.close();
    arrivals.deliver({ dataPlane, leases });
  }

  function leave(dataPlane: string, link: Link<Downward, Upward>): void {
    if (joined.get(dataPlane) !== link) return;
    joined.delete(dataPlane);
    gapsOf.delete(dataPlane);
    departures.deliver(dataPlane);
  }

  /** What one data plane wants to know of the others. */
  async function relay(
    dataPlane: string,
    link: Link<Downward, Upward>,
    { id: asked, revision, request }: Question & { readonly id: number },
  ): Promise<void> {
    const others = new Map(joined);
    others.delete(dataPlane);
    const answers = await questions.ask(others, (id) => ({ type: 'ask', id, revision, request }));
    const told = answers.map(({ answer }) => answer);
    link.send({ type: 'answers', id: asked, told, complete: told.length === others.size });
  }

  function accept(link: Link<Downward, Upward>): void {
    let dataPlane: string | undefined;
    link.onMessage((message) => {
      if (message.type === 'hello') {
        dataPlane ??= message.dataPlane;
        for (const answer of since(message)) tell(link, answer);
        join(dataPlane, link, message.leases ?? []);
      } else if (dataPlane === undefined) return;
      else if (message.type === 'metrics') scrapes.answer(link, message.id, message.text);
      else if (message.type === 'told') questions.answer(link, message.id, message.waits);
      else if (message.type === 'ask') void relay(dataPlane, link, message);
      else reports.deliver({ dataPlane, message });
    });
    link.onClose(() => {
      scrapes.forget(link);
      questions.forget(link);
      if (dataPlane !== undefined) leave(dataPlane, link);
    });
  }

  host.onLink(accept);
  return {
    update,
    onUpward: (listener) =>
      reports.listen(({ dataPlane, message }) => listener(dataPlane, message)),
    lease(dataPlane, leases) {
      const told = gapsOf.get(dataPlane) ?? 0;
      joined.get(dataPlane)?.send({ type: 'lease', epoch, version, gaps: told, leases });
    },
    reply: (dataPlane, id, reply) => joined.get(dataPlane)?.send({ type: 'reply', id, reply }),
    onJoined: (listener) => arrivals.listen(({ dataPlane, leases }) => listener(dataPlane, leases)),
    onGap: gaps.listen,
    onLeft: departures.listen,
    async scrape() {
      const answers = await scrapes.ask(joined, (id) => ({ type: 'scrape', id }));
      return answers.map(({ dataPlane, answer }) => ({ dataPlane, text: answer }));
    },
    async close() {
      scrapes.close();
      questions.close();
      await host.close();
    },
  };
}
