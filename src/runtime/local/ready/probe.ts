import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';
import type { Clock, Timer } from '#lib/clock.ts';
import { askGrpc } from './grpc-probe.ts';
import type { Place, QuestionEvents } from './question.ts';

export type { Place } from './question.ts';

/** How long is waited before the next question: at first, and at most; ms. */
interface Pace {
  readonly first: number;
  readonly longest: number;
}

/** A program that has just been started: the first polls follow closely, a fast one must not wait for us. */
export const HERE: Pace = { first: 2, longest: 100 };
/** What runs elsewhere does so or not; it is somebody else's, too. */
export const ELSEWHERE: Pace = { first: 100, longest: 2000 };
const WAIT_GROWTH = 1.25;
/** A poll that is not answered within this is sent anew: the program may have lost it. */
const ANSWER_MS = 5000;

export interface Probe {
  /**
   * What became of the last question, as a phrase; undefined: none was asked yet. One that is under way says nothing as
   * long as it has its time, if another was answered before.
   */
  seen(): string | undefined;
  close(): void;
}

/**
 * Asks a program that we know nothing of whether it is ready, until it says so.
 * `hold`: it has its listening socket from us, so a request can be sent at once and simply waits; it is the
 * answer. Otherwise connecting fails until the program listens, and is tried again.
 */
export function createProbe(options: {
  to: Place;
  /** Its status says: 200 to 299. Without one any answer below 500 to `/` does. */
  path: string | undefined;
  /** It speaks gRPC, and is asked by its health service. */
  grpc: boolean;
  hold: boolean;
  pace: Pace;
  clock: Clock;
  /** A connection failed: what that is worth saying of the program, if anything. */
  describeFailure: (error: NodeJS.ErrnoException) => string | undefined;
  onReady: () => void;
}): Probe {
  const { to, path, grpc, hold, pace, clock, describeFailure, onReady } = options;
  let wait = pace.first;
  let timer: Timer | undefined;
  let request: { destroy(): void } | undefined;
  let closed = false;
  let seen: string | undefined;
  let isAnswered = false;
  /** The question that is under way, behind one that was answered: told if it ends so. */
  let unanswered: string | undefined;

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

  function see(what: string, isAnswer: boolean): void {
    seen = what;
    isAnswered = isAnswer;
    unanswered = undefined;
  }

  function ask(patient: boolean): void {
    const events: QuestionEvents = {
      onReady: ready,
      onOver: again,
      onArrived(what) {
        if (isAnswered) unanswered = what;
        else see(what, false);
      },
      onSeen: (what) => see(what, true),
      onFailed(error) {
        const why = describeFailure(error);
        // Of what ended later, more has been seen than that.
        if (why !== undefined) see(why, false);
      },
    };
    const asked = grpc ? askGrpc(to, events) : askHttp(to, path, events);
    request = asked;
    if (!patient) timer = clock.after(ANSWER_MS, () => asked.destroy());
  }

  function again(): void {
    timer?.cancel();
    if (closed) return;
    if (unanswered !== undefined) see(unanswered, false);
    timer = clock.after(wait, () => ask(false));
    wait = Math.min(wait * WAIT_GROWTH, pace.longest);
  }

  if (hold) ask(true);
  else again();
  return { seen: () => seen, close };
}

function askHttp(
  { host, port, tls, authority, basePath = '' }: Place,
  own: string | undefined,
  events: QuestionEvents,
): { destroy(): void } {
  const path = basePath + (own ?? '/');
  const get = tls ? getSecure : getPlain;
  const headers = authority === undefined ? {} : { host: authority };
  const asked = get({ host, port, path, headers, agent: false });
  const question = `GET ${path}`;
  asked.once('socket', (socket) =>
    socket.once('connect', () => events.onArrived(`${question} has no answer`)),
  );
  asked.once('response', (response) => {
    events.onSeen(`${question} answered ${response.statusCode}`);
    response.destroy();
    if (isReady(response.statusCode ?? 500, own)) events.onReady();
  });
  asked.on('error', events.onFailed);
  asked.once('close', events.onOver);
  return asked;
}

function isReady(status: number, path: string | undefined): boolean {
  return path === undefined ? status < 500 : status >= 200 && status < 300;
}
