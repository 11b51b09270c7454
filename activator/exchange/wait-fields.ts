import { duration } from '#domain/units.ts';
import { parseLength } from '../http/fields.ts';
import type { RequestHead } from '../http/request-head.ts';
import { NEVER } from '../never.ts';
import { MAX_HOLD_MS } from '../plane.ts';
import type { Refusal } from '../refusal.ts';
import { makeBadField } from './refusals.ts';
import type { RevisionRoute } from '../routes.ts';

/** What a caller may call its request; an index of those that are held. */
const REQUEST_ID = /^[\w.-]{1,128}$/;
const ASKED_ID = /[?&]request=([^&]*)/;
/** The one field for this in wide use: Istio and most gateways built on Envoy send it. */
export const ENVOY_FIELD = 'x-envoy-expected-rq-timeout-ms';
/** What `Rouse-Status` may say; '' at the status address. `wake`: it also keeps the model waking. */
const STATUSES = new Set(['', 'true', 'wake']);

/** The caller's Rouse-Hold or the model's own, ms; -1: it is no duration. */
export function holdOf(head: RequestHead, { routing }: RevisionRoute): number {
  const { hold } = routing.timeouts;
  if (head.rouseHold === '') return hold;
  const parsed = duration.safeParse(head.rouseHold);
  return parsed.success ? Math.min(parsed.data, Math.max(MAX_HOLD_MS, hold)) : -1;
}

/** How long a proxy of Envoy's kind before us waits for the answer, ms. What is no number is not its. */
export function expectedByEnvoy({ fields }: RequestHead): number {
  const value = parseLength(fields.find(ENVOY_FIELD));
  return value > 0 ? value : NEVER;
}

/** Undefined: the caller calls its request by a name that is one, or by none. */
export function checkRequestId({ rouseRequestId }: RequestHead): Refusal | undefined {
  if (rouseRequestId === '' || REQUEST_ID.test(rouseRequestId)) return undefined;
  return makeBadField('Rouse-Request-Id', rouseRequestId);
}

/** What is asked at a status address. */
export interface StatusQuestion {
  /** Of a held request, or ''. */
  readonly requestId: string;
  readonly wakes: boolean;
  /** As server-sent events. */
  readonly asEvents: boolean;
}

export function parseStatusQuestion(head: RequestHead): StatusQuestion | Refusal {
  const { method, rouseStatus, target, fields } = head;
  if (!STATUSES.has(rouseStatus)) return makeBadField('Rouse-Status', rouseStatus);
  const asked = ASKED_ID.exec(target)?.[1] ?? '';
  const requestId = REQUEST_ID.test(asked) ? asked : '';
  // With the header the address is the model's, and the query may mean something to it.
  if (requestId !== asked && rouseStatus === '') return makeBadField('?request=', asked);
  const asEvents = method === 'GET' && fields.find('accept').includes('text/event-stream');
  return { requestId, wakes: rouseStatus === 'wake', asEvents };
}
