import { duration } from '#domain/units.ts';
import type { RequestHead } from '../http/request-head.ts';
import { MAX_HOLD_MS } from '../plane.ts';
import type { Refusal } from '../refusal.ts';
import { makeBadField } from './refusals.ts';

/** What a caller says of a request whose answer it does not wait for. Times in ms. */
export interface Wishes {
  /** So long it waits all the same. */
  readonly waitMs: number;
  readonly idempotencyKey: string | undefined;
  readonly webhook: string | undefined;
  /** It has to begin within that. */
  readonly deadline: number | undefined;
}

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;
const WEBHOOK = /^https?:\/\/[\x21-\x7e]{1,2000}$/i;

/** The preferences of RFC 7240 that are understood. `wait` in seconds; absent or no number: none. */
export function parsePrefer(text: string): { readonly isAsync: boolean; readonly waitMs: number } {
  let isAsync = false;
  let waitMs = 0;
  for (const preference of text.split(',')) {
    const [name = '', value = ''] = (preference.split(';', 1)[0] ?? '').split('=');
    const token = name.trim().toLowerCase();
    const seconds = value.trim().replaceAll('"', '');
    if (token === 'respond-async') isAsync = true;
    else if (token === 'wait' && /^\d{1,9}$/.test(seconds)) waitMs = Number(seconds) * 1000;
  }
  return { isAsync, waitMs: Math.min(waitMs, MAX_HOLD_MS) };
}

/** Two fields where one may be have a comma between them, which none may. */
export function parseWishes({ fields, prefer }: RequestHead): Wishes | Refusal {
  const idempotencyKey = fields.findAll('idempotency-key');
  const webhook = fields.findAll('rouse-webhook');
  const within = fields.findAll('rouse-deadline');
  if (idempotencyKey !== '' && !IDEMPOTENCY_KEY.test(idempotencyKey)) {
    return makeBadField('Idempotency-Key', idempotencyKey);
  }
  if (webhook !== '' && !isWebhook(webhook)) return makeBadField('Rouse-Webhook', webhook);
  const deadline = within === '' ? undefined : duration.safeParse(within);
  if (deadline && !deadline.success) return makeBadField('Rouse-Deadline', within);
  return {
    waitMs: parsePrefer(prefer).waitMs,
    idempotencyKey: idempotencyKey === '' ? undefined : idempotencyKey,
    webhook: webhook === '' ? undefined : webhook,
    deadline: deadline?.data,
  };
}

function isWebhook(text: string): boolean {
  if (!WEBHOOK.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '';
}
