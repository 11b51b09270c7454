import type { Caller } from '#domain/records.ts';
import type { ToRequest } from '../addressing.ts';
import type { RequestHead } from '../http/request-head.ts';
import { MAX_HOLD_MS, type Plane } from '../plane.ts';
import { beginStream, type Stream, writeText } from '../status/event-stream.ts';
import type { Following } from '../status/watches.ts';
import { makeRefused, makeShown, makeStored } from './later-answers.ts';
import { followRequest, type State } from './follow-request.ts';
import type { LaterEvents } from './submit.ts';
import { parsePrefer } from './wishes.ts';

interface Asked {
  readonly to: ToRequest;
  readonly head: RequestHead;
  readonly caller: Caller;
  readonly client: Stream;
}

interface AskEvents extends LaterEvents {
  /** The stream of events is over. */
  readonly onStreamed: () => void;
}

/** What became of an asynchronous request, its answer, or its end: as the method, the path and the fields say. */
export function askAfter(asked: Asked, plane: Plane, events: AskEvents): Following {
  const { to, head } = asked;
  const stop =
    head.method === 'DELETE'
      ? inquire(asked, 'cancel', plane, events)
      : wantsEvents(to, head)
        ? stream(asked, plane, events)
        : show(asked, plane, events);
  return { onWritable: () => {}, stop };
}

function wantsEvents({ what }: ToRequest, { method, fields }: RequestHead): boolean {
  return what === 'state' && method === 'GET' && fields.find('accept').includes('event-stream');
}

/** At once, or when it has ended within the time that the caller waits. */
function show(asked: Asked, plane: Plane, events: AskEvents): () => void {
  const { to, head, caller } = asked;
  const { waitMs } = parsePrefer(head.prefer);
  if (waitMs === 0) return inquire(asked, to.what, plane, events);
  let stop = followRequest(plane, { request: to.id, caller }, plane.now() + waitMs, {
    onState(state, isLast) {
      if (!isLast) return;
      if (to.what === 'state') events.onTold(makeShown(state));
      else stop = inquire(asked, 'answer', plane, events);
    },
    onFailure: (failure) => events.onRefusal(makeRefused(failure)),
  });
  return () => stop();
}

function inquire(
  { to, caller }: Asked,
  about: 'state' | 'answer' | 'cancel',
  plane: Plane,
  { onTold, onRefusal }: AskEvents,
): () => void {
  return plane.desk.inquire({ request: to.id, caller, about }, (reply) => {
    if (reply.what === 'fault') onRefusal(makeRefused(reply));
    else onTold(reply.what === 'answer' ? makeStored(reply) : makeShown(reply));
  });
}

/** Ends with an `end` event when the request has; without one when nothing more can be told. */
function stream({ to, caller, client }: Asked, plane: Plane, events: AskEvents): () => void {
  let told = '';
  return followRequest(plane, { request: to.id, caller }, plane.now() + MAX_HOLD_MS, {
    onState(state, isLast) {
      if (told === '') beginStream(client);
      tell(client, state, told);
      told = state.seen;
      if (isLast) end();
    },
    onFailure(failure) {
      if (told === '') events.onRefusal(makeRefused(failure));
      else end();
    },
  });

  function end(): void {
    client.endBody('');
    events.onStreamed();
  }
}

function tell(client: Stream, { view, seen, ended }: State, told: string): void {
  const text =
    seen === told
      ? ':\n\n'
      : `event: ${ended ? 'end' : 'state'}\ndata: ${JSON.stringify(view)}\n\n`;
  writeText(client, text);
}
