import type { Socket } from 'node:net';
import type { Clock, Timer } from '#lib/clock.ts';

/** Why a connection ended before its first request: the label values of `rouse_connection_refusals_total`. */
export const ENTRY_REFUSALS = [
  /** It came from an address that may send no PROXY header. */
  'proxy_untrusted',
  'proxy_header',
  'plain_http',
  'tls',
  /** It said too little for too long. */
  'timeout',
  /** Too many were on their way in; this one was there for longest. */
  'crowded',
  /** Its peer left. */
  'left',
  /** As many connections are open as may be. */
  'full',
] as const;
export type EntryRefusal = (typeof ENTRY_REFUSALS)[number];

/** A handshake on a slow line takes a second. */
const ENTRY_MS = 10_000;
/**
 * Connections without a handshake behind them, at most. When one more comes the oldest goes: whoever opens
 * thousands and says nothing loses his own, and those who do shake hands are through in a few round trips.
 */
const MAX_ENTERING = 1024;

/**
 * The connections that are on their way in: a PROXY header or a TLS handshake is awaited.
 *
 * Invariants:
 *  1. Each has a time limit, and there are at most `MAX_ENTERING`.
 *  2. Each ends in exactly one of admitted and refused; the latter closes it and is told once.
 */
export interface Entering {
  add(socket: Socket): void;
  /** It is through. */
  admit(socket: Socket): void;
  refuse(socket: Socket, reason: EntryRefusal, why?: string): void;
  /** Ends all that are on their way. */
  cut(): void;
}

export function createEntering(
  clock: Clock,
  onRefused: (reason: EntryRefusal, address: string, why: string) => void,
): Entering {
  const timers = new Map<Socket, Timer>();

  function forget(socket: Socket): boolean {
    timers.get(socket)?.cancel();
    return timers.delete(socket);
  }

  function refuse(socket: Socket, reason: EntryRefusal, why = ''): void {
    if (!forget(socket)) return;
    onRefused(reason, socket.remoteAddress ?? 'unknown', why);
    // What it is told, if it is told anything, leaves first.
    if (socket.writableLength > 0) socket.destroySoon();
    else socket.destroy();
  }

  return {
    add(socket) {
      const timer = clock.after(ENTRY_MS, () => refuse(socket, 'timeout'));
      timers.set(socket, timer);
      socket.on('error', () => refuse(socket, 'left'));
      socket.on('end', () => refuse(socket, 'left'));
      socket.on('close', () => refuse(socket, 'left'));
      const [oldest] = timers.keys();
      if (timers.size > MAX_ENTERING && oldest) refuse(oldest, 'crowded');
    },
    admit: (socket) => void forget(socket),
    refuse,
    cut() {
      for (const socket of timers.keys()) refuse(socket, 'timeout');
    },
  };
}
