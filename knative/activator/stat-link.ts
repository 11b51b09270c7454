import { WebSocket } from 'ws';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';

/**
 * The way to Knative's autoscaler: a WebSocket that is opened again and again. What is sent while it is away is lost;
 * the next report says what there is then.
 *
 * 1. There is one socket at most, or one wait for the next.
 * 2. A connection that is silent for `SILENCE_MS` counts as broken, whatever the system thinks of it.
 */
export interface StatLink {
  /** False: it is away, and this is lost. */
  send(bytes: Uint8Array): boolean;
  readonly linked: boolean;
  /** It is there for the first time. */
  readonly ready: Promise<void>;
  close(): void;
}

/** As Knative's activator has it. */
const SILENCE_MS = 10_000;
const PING_MS = SILENCE_MS / 3;
const HANDSHAKE_MS = 5_000;
const FIRST_WAIT_MS = 100;
const WAIT_GROWS = 1.3;
/** No second beyond the one between two reports is wasted once the autoscaler is back. */
const LONGEST_WAIT_MS = 1_000;
/** Reports that do not leave are old. */
const MAX_UNSENT = 1024 * 1024;

export function createStatLink(options: { url: string; clock: Clock; log: Log }): StatLink {
  const { url, clock, log } = options;
  const ready = Promise.withResolvers<void>();
  let socket: WebSocket | undefined;
  let timer: Timer | undefined;
  let heardAt = 0;
  let failures = 0;
  let linked = false;
  let closed = false;

  function open(): void {
    const made = new WebSocket(url, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
    socket = made;
    let why = 'it was closed';
    made.on('open', () => {
      heardAt = clock.now();
      log.info({ url }, 'the autoscaler takes statistics');
      failures = 0;
      linked = true;
      ready.resolve();
      timer = clock.after(PING_MS, () => keepAlive(made));
    });
    made.on('pong', () => (heardAt = clock.now()));
    made.on('error', (error) => (why = error.message));
    made.on('close', () => onClosed(why));
  }

  function keepAlive(made: WebSocket): void {
    if (clock.now() - heardAt >= SILENCE_MS) {
      made.terminate();
      return;
    }
    made.ping();
    timer = clock.after(PING_MS, () => keepAlive(made));
  }

  function onClosed(why: string): void {
    timer?.cancel();
    linked = false;
    if (closed) return;
    if (failures === 0) log.warn({ url, why }, 'the autoscaler does not take statistics');
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * WAIT_GROWS ** failures);
    failures += 1;
    timer = clock.after(wait, open);
  }

  open();
  return {
    send(bytes) {
      if (socket?.readyState !== WebSocket.OPEN || socket.bufferedAmount > MAX_UNSENT) return false;
      socket.send(bytes);
      return true;
    },
    get linked() {
      return linked;
    },
    ready: ready.promise,
    close() {
      closed = true;
      linked = false;
      timer?.cancel();
      socket?.terminate();
    },
  };
}
