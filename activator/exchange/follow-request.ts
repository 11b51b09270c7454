import type { RequestReply } from '#bus/requests.ts';
import type { Caller } from '#domain/records.ts';
import type { Plane } from '../plane.ts';

/** A connection that says nothing for longer is taken for dead by many proxies. */
const STEP_MS = 15_000;

export type State = Extract<RequestReply, { what: 'state' }>;
export type Failure = Extract<RequestReply, { what: 'fault' }>;

export interface FollowEvents {
  /** At once, at each change and at least every 15 s. `isLast`: it has ended, or the time has. */
  readonly onState: (state: State, isLast: boolean) => void;
  /** Nothing follows. */
  readonly onFailure: (failure: Failure) => void;
}

/** Follows an asynchronous request until it has ended, at most until `untilMs`. The function that is returned stops it. */
export function followRequest(
  plane: Plane,
  asked: { readonly request: string; readonly caller: Caller },
  untilMs: number,
  events: FollowEvents,
): () => void {
  let leave: (() => void) | undefined;

  function ask(seen: string | undefined): void {
    const ms = Math.max(0, Math.min(STEP_MS, untilMs - plane.now()));
    const wait = seen === undefined ? {} : { wait: { seen, ms } };
    leave = plane.desk.inquire({ ...asked, about: 'state', ...wait }, (reply) => {
      if (reply.what === 'fault') events.onFailure(reply);
      else if (reply.what === 'state') {
        const isLast = reply.ended || plane.now() >= untilMs;
        events.onState(reply, isLast);
        if (!isLast) ask(reply.seen);
      }
    });
  }

  ask(undefined);
  return () => leave?.();
}
