import type { Waiter } from './gate.ts';
import { ResponseHead } from './http/response-head.ts';
import type { RevisionRoute } from './routes.ts';
import type { Slot } from './slot.ts';
import { makeStatus, type Status } from './status.ts';

/** Each costs a look four times a second; people and scripts that wait are far fewer. */
const MAX_WATCHES = 256;
/** An event at each change, but no more often than this. */
export const WATCH_EVERY_MS = 250;
/** As long as a request may be held; who still wants to know then asks again. */
const MAX_WATCH_MS = 10 * 60_000;
/** Capacity that nobody waits for is let go again: who keeps a model waking says so this often. */
const KNOCK_EVERY_MS = 1000;
/** Without a change, something is sent this often: proxies close what is silent, usually after 30 s or more. */
const SIGN_OF_LIFE_MS = 15_000;

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n';

/** A held request that its caller has named. */
interface Named {
  readonly route: RevisionRoute;
  readonly waiter: Waiter<Slot>;
}

/** Where events go: the answer to a request, as it is written. */
interface Stream {
  writeHead(head: ResponseHead, extra: string): void;
  /** False: the caller reads slower than this comes. */
  writeBody(buffer: Buffer, ranges: readonly number[]): boolean;
  endBody(trailers: string): void;
}

/** A caller that follows a status: what it follows, and what it was told. */
interface Watch {
  readonly route: RevisionRoute;
  readonly requestId: string;
  readonly client: Stream;
  /** The stream has ended. */
  readonly onEnd: () => void;
  readonly since: number;
  /** It wants the model awake, as a request would that waits. */
  readonly wakes: boolean;
  knockedAt: number;
  sentAt: number;
  told: string;
  /** Reads more slowly than this comes: it misses states, not the last one. */
  isSlow: boolean;
}

/**
 * Named requests that are held, and those who follow a status as server-sent events.
 *
 * Invariants:
 *  1. A name is known exactly while its request is held; the last that uses it has it.
 *  2. A stream ends with one `end` event: when its request was granted or refused, when its model is awake, or
 *     when nothing more can be told.
 */
export class Watches {
  private readonly named = new Map<string, Named>();
  private readonly watches = new Set<Watch>();

  get isFull(): boolean {
    return this.watches.size >= MAX_WATCHES;
  }

  /** `onEnd` gives the connection back. */
  add(
    client: Stream,
    route: RevisionRoute,
    { requestId, wakes }: { requestId: string; wakes: boolean },
    now: number,
    onEnd: () => void,
  ) {
    const head = new ResponseHead();
    head.read(STREAM_HEAD);
    client.writeHead(head, '');
    const watch: Watch = {
      route,
      requestId,
      client,
      onEnd,
      since: now,
      wakes,
      knockedAt: 0,
      sentAt: 0,
      told: '',
      isSlow: false,
    };
    this.watches.add(watch);
    this.look(watch, now);
    return {
      onWritable: (): void => {
        watch.isSlow = false;
      },
      stop: (): void => {
        this.watches.delete(watch);
      },
    };
  }

  /** A held request has a name. */
  name(key: string, route: RevisionRoute, waiter: Waiter<Slot>): void {
    this.named.set(key, { route, waiter });
  }

  /** It is not held any more. */
  unname(key: string, waiter: Waiter<Slot>, outcome: 'granted' | 'refused', now: number): void {
    const { route } = this.named.get(key) ?? {};
    if (!route || this.named.get(key)?.waiter !== waiter) return;
    this.named.delete(key);
    for (const watch of this.watches) {
      if (watch.requestId === '' || nameOf(watch.route, watch.requestId) !== key) continue;
      const status = {
        ...makeStatus(route, now),
        request: { id: watch.requestId, state: outcome },
      };
      this.end(watch, status);
    }
  }

  /** What is known now of a revision, and of a request if one is asked for. */
  status(route: RevisionRoute, requestId: string, now: number): Status {
    if (requestId === '') return makeStatus(route, now);
    const named = this.named.get(nameOf(route, requestId));
    return makeStatus(named?.route ?? route, now, { id: requestId, waiter: named?.waiter });
  }

  /** Tells what has changed. */
  tick(now: number): void {
    for (const watch of this.watches) this.look(watch, now);
  }

  endAll(now: number): void {
    for (const watch of this.watches) {
      this.end(watch, this.status(watch.route, watch.requestId, now));
    }
  }

  private look(watch: Watch, now: number): void {
    const { route, requestId } = watch;
    const status = this.status(route, requestId, now);
    const isGone = route.model.revisions.get(route.routing.name) !== route;
    const isOver = status.state === 'awake' && status.request?.state !== 'waiting';
    if (isGone || isOver || now - watch.since > MAX_WATCH_MS) this.end(watch, status);
    else {
      if (watch.wakes && status.state !== 'failed') knock(watch, now);
      this.tell(watch, JSON.stringify(status), now);
    }
  }

  private tell(watch: Watch, text: string, now: number): void {
    if (watch.isSlow) return;
    if (text !== watch.told) send(watch, `event: status\ndata: ${text}\n\n`);
    else if (now - watch.sentAt >= SIGN_OF_LIFE_MS) send(watch, ':\n\n');
    else return;
    watch.told = text;
    watch.sentAt = now;
  }

  private end(watch: Watch, status: Status): void {
    this.watches.delete(watch);
    send(watch, `event: end\ndata: ${JSON.stringify(status)}\n\n`);
    watch.client.endBody('');
    watch.onEnd();
  }
}

/** A name is the model's: whoever asks need not know which revision the request was given to. */
export function nameOf({ model }: RevisionRoute, requestId: string): string {
  const { namespace, name } = model.routing;
  return `${namespace}/${name}/${requestId}`;
}

function knock(watch: Watch, now: number): void {
  if (now - watch.knockedAt < KNOCK_EVERY_MS) return;
  watch.knockedAt = now;
  watch.route.gate.knock();
}

function send(watch: Watch, text: string): void {
  const bytes = Buffer.from(text);
  watch.isSlow = !watch.client.writeBody(bytes, [0, bytes.length]);
}
