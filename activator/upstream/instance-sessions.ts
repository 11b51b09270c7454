import type { Address } from '#domain/routing.ts';
import { InstanceSession } from './instance-session.ts';
import { InstanceStream } from './instance-stream.ts';

/** Requests on one session before another one is opened: they share its bandwidth and its window. */
const MANY_STREAMS = 100;
/** Sessions with one instance; with more requests than these take well they share them none the less. */
export const MAX_SESSIONS = 8;
/** Sessions that nobody uses are closed after this. */
const IDLE_MS = 60_000;

/** The HTTP/2 sessions with one instance. */
export class InstanceSessions {
  private readonly address: Address;
  private readonly sessions = new Set<InstanceSession>();

  constructor(address: Address) {
    this.address = address;
  }

  /** A place for one request. */
  open(now: () => number, isGrpc: boolean): InstanceStream {
    return new InstanceStream(this.pick(now), this.address, now, isGrpc);
  }

  private pick(now: () => number): InstanceSession {
    let least: InstanceSession | undefined;
    let free: InstanceSession | undefined;
    let usable = 0;
    for (const session of this.sessions) {
      if (!session.isUsable) continue;
      usable += 1;
      if (isLessBusy(session, least)) least = session;
      if (session.active < session.maxStreams && isLessBusy(session, free)) free = session;
    }
    // Beyond what the instance allows, node:http2 keeps a request until another one on its session has ended.
    if (least && usable >= MAX_SESSIONS) return free ?? least;
    if (free && free.active < MANY_STREAMS) return free;
    const session = new InstanceSession(this.address, now);
    this.sessions.add(session);
    return session;
  }

  sweep(now: number): void {
    for (const session of this.sessions) {
      session.sweep(now);
      const isIdle = session.active === 0 && now - session.idleSince > IDLE_MS;
      if (session.active > 0 || (session.isUsable && !isIdle)) continue;
      this.sessions.delete(session);
      session.close();
    }
  }

  /** What runs may finish. */
  close(): void {
    for (const session of this.sessions) session.close();
  }

  /** What runs ends in the middle. */
  cut(reason: string): void {
    for (const session of this.sessions) session.cut(reason);
    this.sessions.clear();
  }
}

function isLessBusy(session: InstanceSession, other: InstanceSession | undefined): boolean {
  return !other || session.active < other.active;
}
