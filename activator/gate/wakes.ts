/** Callers that do not wait can be many; one wake in this time is enough. */
const POKE_EVERY_MS = 100;
/** So long after the last wake capacity is taken to be on its way though nobody waits for it any more. */
const STARTING_MS = 60_000;
/** A start that is known to take some time is taken to be on its way for this share of it, and a little. */
const LATE = 1.5;
const LITTLE_MS = 1000;

export interface WakeEvents {
  /** Capacity is wanted: somebody waits. Called when the first comes and each time their number doubles. */
  onWake(queued: number): void;
  now(): number;
  /** What a start takes, as far as is known; 0: nothing is. ms. */
  startMs(): number;
}

/** When a gate asks for capacity, and how long it has been asking: invariant 5 of the gate. `waiting`: how many wait. */
export class Wakes {
  private readonly events: WakeEvents;
  /** With so many the next wake is due. */
  private due = 1;
  private pokedAt = 0;
  /** Of the first wake since an instance came, went or failed to start, and of the last one; ms. */
  private firstAt = 0;
  private lastAt = 0;

  constructor(events: WakeEvents) {
    this.events = events;
  }

  wakeIfDue(waiting: number): void {
    if (waiting < this.due || waiting === 0) return;
    this.due = waiting * 2;
    this.wake(this.events.now(), waiting);
  }

  /** The first that waits is due again. */
  restart(): void {
    this.due = 1;
  }

  /** Somebody came who does not want to wait: nobody waits, yet capacity is wanted. */
  poke(waiting: number): void {
    const now = this.events.now();
    if (now - this.pokedAt < POKE_EVERY_MS) return;
    this.pokedAt = now;
    this.wake(now, Math.max(1, waiting));
  }

  /** One came or went: how long one was asked for before that says nothing any more. */
  onInstance(): void {
    this.firstAt = 0;
    this.restart();
  }

  /** Of what was asked for nothing came. It is tried again for those who wait, and else when it is asked for anew. */
  onStartFailed(waiting: number): void {
    this.firstAt = waiting > 0 ? this.events.now() : 0;
  }

  /** For how long what was asked for has been awaited, ms; undefined: nothing is. */
  awaitedMs(waiting: number): number | undefined {
    if (this.firstAt === 0) return undefined;
    const now = this.events.now();
    const isAwaited = waiting > 0 || now - this.lastAt < this.patienceMs();
    return isAwaited ? Math.max(0, now - this.firstAt) : undefined;
  }

  /** A start that nobody waits for any more may have been given up, which is told to nobody. */
  private patienceMs(): number {
    const startMs = this.events.startMs();
    return startMs > 0 ? Math.min(STARTING_MS, LATE * startMs + LITTLE_MS) : STARTING_MS;
  }

  private wake(now: number, waiting: number): void {
    const isForgotten = waiting <= 1 && now - this.lastAt >= this.patienceMs();
    if (this.firstAt === 0 || isForgotten) this.firstAt = now;
    this.lastAt = now;
    this.events.onWake(waiting);
  }
}
