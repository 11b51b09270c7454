import { get } from 'node:http';
import type { Clock, Timer } from '#lib/clock.ts';
import { askGrpc } from './grpc-probe.ts';
import { type QuestionEvents, tellRefused } from './question.ts';

/** The first polls follow closely: a fast program must not wait for us. */
const FIRST_WAIT_MS = 2;
const WAIT_GROWTH = 1.25;
const LONGEST_WAIT_MS = 100;
/** A poll that is not answered within this is sent anew: the program may have lost it. */
const ANSWER_MS = 5000;

export interface Probe {
  /** What became of the last question, as a phrase; undefined: none was asked yet. */
  seen(): string | undefined;
  close(): void;
}

/**
 * Asks a program that we know nothing of whether it is ready, until it says so.
 * `hold`: it has its listening socket from us, so a request can be sent at once and simply waits; it is the
 * answer. Otherwise connecting fails until the program listens, and is tried again.
 */
export function createProbe(options: {
  port: number;
  /** Its status says: 200 to 299. Without one any answer below 500 to `/` does. */
  path: string | undefined;
  /** It speaks gRPC, and is asked by its health service. */
  grpc: boolean;
  hold: boolean;
  clock: Clock;
  onReady: () => void;
}): Probe {
  const { port, path, grpc, hold, clock, onReady } = options;
  let wait = FIRST_WAIT_MS;
  let timer: Timer | undefined;
  let request: { destroy(): void } | undefined;
  let closed = false;
  let seen: string | undefined;

  function close(): void {
    closed = true;
    timer?.cancel();
    request?.destroy();
  }

  function ready(): void {
    if (closed) return;
    close();
    onReady();
  }

  function ask(patient: boolean): void {
    const events = { onReady: ready, onOver: again, onSeen: (what: string) => (seen = what) };
    const asked = grpc ? askGrpc(port, events) : askHttp(port, path, events);
    request = asked;
    if (!patient) timer = clock.after(ANSWER_MS, () => asked.destroy());
  }

  function again(): void {
    timer?.cancel();
    if (closed) return;
    timer = clock.after(wait, () => ask(false));
    wait = Math.min(wait * WAIT_GROWTH, LONGEST_WAIT_MS);
  }

  if (hold) ask(true);
  else again();
  return { seen: () => seen, close };
}

function askHttp(
  port: number,
  path: string | undefined,
  events: QuestionEvents,
): { destroy(): void } {
  const asked = get({ host: '127.0.0.1', port, path: path ?? '/', agent: false });
  const question = `GET ${path ?? '/'}`;
  asked.once('socket', (socket) =>
    socket.once('connect', () => events.onSeen(`${question} has no answer`)),
  );
  asked.once('response', (response) => {
    events.onSeen(`${question} answered ${response.statusCode}`);
    response.destroy();
    if (isReady(response.statusCode ?? 500, path)) events.onReady();
  });
  asked.on('error', (error) => tellRefused(events, port, error));
  asked.once('close', events.onOver);
  return asked;
}

function isReady(status: number, path: string | undefined): boolean {
  return path === undefined ? status < 500 : status >= 200 && status < 300;
}
