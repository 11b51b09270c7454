import { z } from 'zod';
import { PRIORITIES } from './priority.ts';

/** A request whose caller does not wait for the answer: it is stored, sent later, and its answer is kept for a while. */

/**
 * `waiting`: to be sent, for the first time or again. `running`: it has been sent. `done`: the model has answered,
 * whatever its status. `failed`: no answer could be got. `expired`: it did not begin before its deadline.
 */
export const REQUEST_STATES = [
  'waiting',
  'running',
  'done',
  'failed',
  'expired',
  'cancelled',
] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

/** 160 random bits: who has it, and made the request without a key, may read the answer. */
const REQUEST_ID = /^rq_[0-9a-f]{40}$/;
export const requestId = z.string().regex(REQUEST_ID, 'the id of an asynchronous request');

export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

/** Where a caller finds it, at the port that took it. */
function requestPath(id: string): string {
  return `/requests/${id}`;
}

/** Times are ms since the epoch. */
export const asyncRequest = z.object({
  id: requestId,
  namespace: z.string(),
  model: z.string(),
  caller: z.string().meta({ description: "key:<id>, or the caller's address." }),
  priority: z.enum(PRIORITIES),
  method: z.string(),
  target: z.string(),
  state: z.enum(REQUEST_STATES),
  attempts: z.int().meta({ description: 'How often it has been sent.' }),
  createdAt: z.number(),
  beginBy: z.number().meta({ description: 'It expires when it has not begun by then.' }),
  nextAt: z.number().optional().meta({ description: 'It is not sent again before.' }),
  endedAt: z.number().optional(),
  status: z.int().optional().meta({ description: "Of the model's answer." }),
  reason: z.string().meta({ description: 'Why it failed, or is sent again.' }),
  webhook: z.string().optional(),
});
export type AsyncRequest = z.output<typeof asyncRequest>;

/** What its caller is shown; `location` and `answer` are paths of the port that took it. */
const asyncRequestView = asyncRequest.omit({ caller: true }).extend({
  location: z.string(),
  answer: z.string().optional().meta({ description: 'Where the answer is, when there is one.' }),
});
export type AsyncRequestView = z.output<typeof asyncRequestView>;

export function makeRequestView(
  { caller: _caller, ...request }: AsyncRequest,
  location = requestPath(request.id),
): AsyncRequestView {
  const hasAnswer = request.status !== undefined;
  return { ...request, location, ...(hasAnswer && { answer: `${location}/answer` }) };
}

export function hasEnded({ state }: Pick<AsyncRequest, 'state'>): boolean {
  return state !== 'waiting' && state !== 'running';
}

/** `waiting`: to be sent, for the first time or again. `dead`: given up, until somebody has it sent again. */
export const DELIVERY_STATES = ['waiting', 'sending', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** What is to be told to the webhook of a request that has ended. */
export const delivery = z.object({
  /** The same however often it is sent. */
  id: z.string().regex(/^msg_[0-9a-f]{40}$/, 'the id of a delivery'),
  request: requestId,
  namespace: z.string(),
  url: z.string(),
  state: z.enum(DELIVERY_STATES),
  attempts: z.int(),
  createdAt: z.number(),
  nextAt: z.number().optional(),
  endedAt: z.number().optional(),
  reason: z.string().meta({ description: 'Why it was not taken, the last time.' }),
});
export type Delivery = z.output<typeof delivery>;

export function deliveryId(request: string): string {
  return request.replace(/^rq_/, 'msg_');
}
