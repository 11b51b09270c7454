import { randomBytes } from 'node:crypto';
import type { RequestInquiry, RequestReply, Submission } from '#bus/requests.ts';
import { type AsyncRequest, hasEnded, makeRequestView } from '#domain/async-request.ts';
import { modelKey } from '#domain/names.ts';
import type { Caller } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { RequestQueue } from '#store/requests/requests.ts';
import type { Catalog } from '../records/catalog.ts';
import { type News, seenOf } from './news.ts';

const ID_BYTES = 20;

export interface RequestSettings {
  /** Callers without a key may have requests, too. */
  readonly anonymous: boolean;
  /** A request has to begin within that, at the latest, ms. */
  readonly deadline: number;
}

/** What callers may do with asynchronous requests. Each throws a Fault, in words for the caller. */
export interface Desk {
  submit(submission: Submission): Promise<RequestReply>;
  /** `signal`: nobody waits for the reply any more. */
  inquire(inquiry: RequestInquiry, signal: AbortSignal): Promise<RequestReply>;
}

/**
 * Whose request it is may ask for it: the holder of the key that came with it, or, where none came, whoever knows its
 * id, which cannot be guessed. For all others there is no such request.
 */
export function createDesk(options: {
  queue: RequestQueue;
  catalog: Pick<Catalog, 'model'>;
  news: News;
  settings: RequestSettings;
  /** Why no webhook can go there. */
  findWrong: (url: string) => string | undefined;
  onAdded: (repeated: boolean) => void;
  /** By its caller. */
  cancel: (id: string) => Promise<AsyncRequest | undefined>;
  clock: Clock;
}): Desk {
  const { queue, catalog, news, settings, clock } = options;

  function check({ caller, namespace, model, webhook }: Submission): void {
    if (caller.kind !== 'key' && !settings.anonymous) {
      throw new Fault(
        'unauthorized',
        'Asynchronous requests need a key here (requests.anonymous).',
      );
    }
    if (!catalog.model(modelKey(namespace, model))) {
      throw new Fault('not_found', `There is no model ${namespace}/${model}.`);
    }
    const wrong = webhook === undefined ? undefined : options.findWrong(webhook);
    if (wrong !== undefined) throw new Fault('bad_request', `Rouse-Webhook: ${wrong}.`);
  }

  function makeRequest(submission: Submission): AsyncRequest {
    const { namespace, model, method, target, webhook, priority = 'low' } = submission;
    const now = clock.now();
    const deadline = Math.min(submission.deadline ?? settings.deadline, settings.deadline);
    return {
      id: `rq_${randomBytes(ID_BYTES).toString('hex')}`,
      namespace,
      model,
      caller: callerText(submission.caller),
      priority,
      method,
      target,
      state: 'waiting',
      attempts: 0,
      createdAt: now,
      beginBy: now + deadline,
      reason: '',
      ...(webhook !== undefined && { webhook }),
    };
  }

  async function find(id: string, caller: Caller): Promise<AsyncRequest> {
    const request = await queue.get(id);
    if (request && mayAsk(request, caller)) return request;
    throw new Fault('not_found', `There is no request ${id}, or it is not yours.`);
  }

  async function look({ request: id, caller, wait }: RequestInquiry, signal: AbortSignal) {
    const before = await find(id, caller);
    if (!wait || hasEnded(before) || seenOf(before) !== wait.seen) return before;
    await news.next(id, wait.ms, signal);
    return await find(id, caller);
  }

  return {
    async submit(submission) {
      check(submission);
      const { fields, host, idempotencyKey } = submission;
      const content = { fields, body: Buffer.from(submission.body, 'base64') };
      const request = makeRequest(submission);
      const added = await queue.add({ request, content, host, idempotencyKey });
      options.onAdded(added.repeated);
      return makeState(added.request);
    },
    async inquire(inquiry, signal) {
      const { request: id, caller, about } = inquiry;
      if (about === 'state') return makeState(await look(inquiry, signal));
      const request = await find(id, caller);
      if (about === 'cancel') return makeState((await options.cancel(id)) ?? request);
      const answer = await queue.answer(id);
      if (!answer) throw new Fault('conflict', explainNoAnswer(request));
      const body = Buffer.from(answer.body).toString('base64');
      return { what: 'answer', status: answer.status, fields: answer.fields, body };
    },
  };
}

export function explainNoAnswer({ state, reason }: AsyncRequest): string {
  if (state === 'waiting' || state === 'running') {
    return `The request is ${state}: there is no answer yet. Prefer: wait=30 waits for it.`;
  }
  return `The request has no answer, it is ${state}: ${reason}.`;
}

function makeState(request: AsyncRequest): RequestReply {
  const view = makeRequestView(request);
  return { what: 'state', view, seen: seenOf(request), ended: hasEnded(request) };
}

function callerText({ kind, id }: Caller): string {
  return kind === 'key' ? `key:${id}` : id;
}

function mayAsk(request: AsyncRequest, caller: Caller): boolean {
  return !request.caller.startsWith('key:') || request.caller === callerText(caller);
}
