import { beginStream, type Stream, writeText } from './event-stream.ts';
import { type Asker, type Inquiry, nameOf } from './inquiry.ts';
import type { Outcome } from './named.ts';
import type { RevisionRoute } from '../routes.ts';
import { makeStatus, type Status } from './status.ts';

/** Each costs a look four times a second; people and scripts that wait are far fewer. */
const MAX_WATCHES = 256;
/** Of one caller: many people can be behind one address. */
export const MAX_WATCHES_OF_CALLER = 32;
/** An event at each change, but no more often than this. */
export const WATCH_EVERY_MS = 250;
/** As long as a request may be held; who still wants to know then asks again. */
const MAX_WATCH_MS = 10 * 60_000;
/** Capacity that nobody waits for is let go again: who keeps a model waking says so this often. */
const POKE_EVERY_MS = 1000;
/** Without a change, something is sent this often: proxies close what is silent, usually after 30 s or more. */
const SIGN_OF_LIFE_MS = 15_000;

/** What is under way for who asks. */
export interface Following {
  onWritable(): void;
  stop(): void;
}

/** A caller that follows a status: what it follows, and what it was told. */
interface Watch {
  readonly route: RevisionRoute;
  readonly asker: Asker;
  /** The name of its request; ''. */
  readonly name: string;
  readonly client: Stream;
  /** The stream has ended. */
  readonly onEnd: () => void;
  readonly since: number;
  /** It wants the model awake, as a request would that waits. */
  readonly wakes: boolean;
  pokedAt: number;
  sentAt: number;
  told: string;
  /** Why the start had failed that was the last when it came; undefined: it had not. */
  failure: string | undefined;
  /** It was told that its request waits. */
  hasSeen: boolean;
  /** What became of its request; ''. */
  outcome: Outcome | '';
  /** Its status is being asked for. */
  isAsking: boolean;
  /** Reads more slowly than this comes: it misses states, not the last one. */
  isSlow: boolean;
}

/**
 * Those who follow a status as server-sent events.
 *
 * Invariants:
 *  1. A stream ends with one `end` event: when its request was granted or refused, when its model is awake, when
 *     it waits for a model that does not start, or when nothing more can be told.
 *  2. `watching` counts the streams of each caller that has one.
 */
export class Watches {
  private readonly watches = new Set<Watch>();
  private readonly watching = new Map<string, number>();
  private readonly inquiry: Inquiry;

  constructor(inquiry: Inquiry) {
    this.inquiry = inquiry;
    inquiry.onOutcome((key, outcome, now) => this.onOutcome(key, outcome, now));
  }

  get isFull(): boolean {
    return this.watches.size >= MAX_WATCHES;
  }

  isFullFor(callerId: string): boolean {
    return this.watchingOf(callerId) >= MAX_WATCHES_OF_CALLER;
  }

  /** `onEnd` gives the connection back. */
  add(
    client: Stream,
    route: RevisionRoute,
    { asker, wakes }: { asker: Asker; wakes: boolean },
    now: number,
    onEnd: () => void,
  ): Following {
    beginStream(client);
    const watch: Watch = {
      route,
      asker,
      name: nameOf(route, asker),
      client,
      onEnd,
      since: now,
      wakes,
      pokedAt: 0,
      sentAt: 0,
      told: '',
      failure: route.routing.startFailure?.message,
      hasSeen: false,
      outcome: '',
      isAsking: false,
      isSlow: false,
    };
    this.watches.add(watch);
    this.watching.set(asker.callerId, this.watchingOf(asker.callerId) + 1);
    this.look(watch, now);
    return {
      onWritable: () => {
        watch.isSlow = false;
      },
      stop: () => this.forget(watch),
    };
  }

  /** Tells what has changed. */
  tick(now: number): void {
    for (const watch of this.watches) this.look(watch, now);
  }

  endAll(now: number): void {
    for (const watch of this.watches) {
      const { route, name, asker } = watch;
      const told = [this.inquiry.waitsOf(route, name, now)];
      this.end(watch, makeStatus(route, now, told, asker.requestId));
    }
  }

  private onOutcome(name: string, outcome: Outcome, now: number): void {
    for (const watch of this.watches) {
      if (watch.name !== name) continue;
      watch.outcome = outcome;
      this.look(watch, now);
    }
  }

  private look(watch: Watch, now: number): void {
    if (watch.isAsking) return;
    watch.isAsking = true;
    this.inquiry.ask(watch.route, watch.asker, now, (status) => {
      watch.isAsking = false;
      if (this.watches.has(watch)) this.show(watch, status, now);
    });
  }

  private show(watch: Watch, status: Status, now: number): void {
    const { route, asker, outcome, hasSeen } = watch;
    const { request, state } = status;
    if (outcome !== '') {
      this.end(watch, { ...status, request: { id: asker.requestId, state: outcome } });
      return;
    }
    const isWaiting = request?.state === 'waiting';
    const isEnded = request?.state === 'granted' || request?.state === 'refused';
    const isGone = route.model.revisions.get(route.routing.name) !== route;
    const isOver = (state === 'awake' && !isWaiting) || (isEnded && hasSeen);
    const isVain = watch.wakes && state === 'failed';
    if (isGone || isOver || isVain || now - watch.since > MAX_WATCH_MS) this.end(watch, status);
    else {
      watch.hasSeen ||= isWaiting;
      // A start that has failed meanwhile is not tried again for who only looks.
      const isNews = route.routing.startFailure?.message !== watch.failure;
      if (watch.wakes && !isNews) poke(watch, now);
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
    this.forget(watch);
    send(watch, `event: end\ndata: ${JSON.stringify(status)}\n\n`);
    watch.client.endBody('');
    watch.onEnd();
  }

  private watchingOf(callerId: string): number {
    return this.watching.get(callerId) ?? 0;
  }

  /** Once or more often. */
  private forget(watch: Watch): void {
    if (!this.watches.delete(watch)) return;
    const { callerId } = watch.asker;
    const left = this.watchingOf(callerId) - 1;
    if (left > 0) this.watching.set(callerId, left);
    else this.watching.delete(callerId);
  }
}

function poke(watch: Watch, now: number): void {
  if (now - watch.pokedAt < POKE_EVERY_MS) return;
  watch.pokedAt = now;
  watch.route.gate.poke();
}

function send(watch: Watch, text: string): void {
  watch.isSlow = !writeText(watch.client, text);
}
