import type { Publisher, Report } from '#bus/publisher.ts';
import type { RequestReply } from '#bus/requests.ts';
import type { AsyncRequest } from '#domain/async-request.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Pace } from '#policies/requests/pace.ts';
import type { DeliveryPace } from '#policies/requests/delivery.ts';
import type { Requests } from '#store/requests/requests.ts';
import type { Catalog } from '../records/catalog.ts';
import { createDesk, type RequestSettings } from './desk.ts';
import { createDispatcher } from './dispatcher.ts';
import { createRequestMetrics } from './metrics.ts';
import { createNews } from './news.ts';
import { createPoster, type Resolve } from './post.ts';
import { createSender } from './send.ts';
import { createWebhooks } from './webhooks.ts';

/** Deadlines and what is kept are looked at this often. */
const TIDY_MS = 1000;

export interface AsyncRequestOptions {
  readonly store: Requests;
  readonly settings: RequestSettings & {
    /** Networks that webhooks may be sent to though they are not public. */
    readonly webhookNetworks: readonly string[];
  };
  /** The data plane as a caller of this machine writes it. */
  readonly dataPlane: string;
  /** Connections to it begin with a PROXY header. */
  readonly proxyProtocol: boolean;
  readonly platformSecret: Uint8Array;
  /** How soon things are sent again; for tests. */
  readonly pace?: { readonly attempts: Pace; readonly deliveries: DeliveryPace };
  readonly resolve?: Resolve;
}

/** Asynchronous requests as a whole: taken, sent to their models, told of. */
export interface AsyncRequests {
  readonly store: Requests;
  readonly platformSecret: Uint8Array;
  onReport(dataPlane: string, message: Report): void;
  /** Undefined: it has ended, or there is none. */
  cancel(id: string): Promise<AsyncRequest | undefined>;
  /** A delivery is due again. */
  askDeliveries(): void;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

export async function createAsyncRequests(
  options: AsyncRequestOptions & {
    catalog: Pick<Catalog, 'model'>;
    reply: Publisher['reply'];
    clock: Clock;
    /** The hour, as receivers of webhooks know it. */
    wall: Pick<Clock, 'now'>;
    log: Log;
  },
): Promise<AsyncRequests> {
  const { store, settings, catalog, clock, log, pace } = options;
  const queue = store.requests;
  const metrics = createRequestMetrics(store);
  metrics.recovered(await store.recover(clock.now()));
  const news = createNews(clock);
  const sender = createSender(options.dataPlane, options.proxyProtocol);
  const poster = createPoster({
    networks: settings.webhookNetworks,
    clock,
    ...(options.resolve && { resolve: options.resolve }),
  });
  const base = { clock, log, random: Math.random };
  const dispatcher = createDispatcher({
    ...base,
    queue,
    sender,
    onChange,
    ...(pace && { pace: pace.attempts }),
  });
  const webhooks = createWebhooks({
    ...base,
    deliveries: store.deliveries,
    requests: queue,
    poster,
    platformSecret: options.platformSecret,
    wall: options.wall,
    onSettled: (state) => metrics.delivered(state),
    ...(pace && { pace: pace.deliveries }),
  });
  const desk = createDesk({
    queue,
    catalog,
    news,
    settings,
    findWrong: (url) => poster.findWrong(url),
    onAdded(repeated) {
      metrics.counted(repeated ? 'repeated' : 'accepted');
      if (!repeated) dispatcher.ask();
    },
    cancel,
    clock,
  });
  /** By data plane and id: somebody waits for the reply. */
  const asked = new Map<string, AbortController>();
  const tidying = createLoop({
    clock,
    everyMs: TIDY_MS,
    step: tidy,
    onError: (error) => log.error({ error: messageOf(error) }, 'old requests are still there'),
  });
  dispatcher.ask();
  webhooks.ask();

  function onChange(request: AsyncRequest): void {
    news.changed(request.id);
    if (request.state === 'done' || request.state === 'failed') {
      metrics.counted(request.state);
      if (request.webhook !== undefined) webhooks.ask();
    }
  }

  async function cancel(id: string): Promise<AsyncRequest | undefined> {
    const cancelled = await queue.cancel(id, clock.now());
    if (!cancelled) return undefined;
    dispatcher.stop(id);
    metrics.counted('cancelled');
    news.changed(id);
    webhooks.ask();
    return cancelled;
  }

  async function tidy(): Promise<void> {
    const now = clock.now();
    const expired = await queue.expire(now);
    for (const id of expired) {
      metrics.counted('expired');
      news.changed(id);
    }
    const forgotten = await store.forget(now);
    if (expired.length > 0) webhooks.ask();
    if (expired.length + forgotten > 0) tidying.ask();
  }

  async function answer(
    dataPlane: string,
    id: number,
    work: (signal: AbortSignal) => Promise<RequestReply>,
  ): Promise<void> {
    const key = `${dataPlane} ${id}`;
    const leaving = new AbortController();
    asked.set(key, leaving);
    try {
      const reply = await work(leaving.signal).catch(faultReply);
      if (!leaving.signal.aborted) options.reply(dataPlane, id, reply);
    } finally {
      if (asked.get(key) === leaving) asked.delete(key);
    }
  }

  function faultReply(error: unknown): RequestReply {
    if (!(error instanceof Fault)) {
      log.error({ error: messageOf(error) }, 'a request of a data plane failed');
      return { what: 'fault', code: 'internal', message: 'Control failed; see its log.' };
    }
    const { code, message, retryAfter } = error;
    return { what: 'fault', code, message, ...(retryAfter !== undefined && { retryAfter }) };
  }

  return {
    store,
    platformSecret: options.platformSecret,
    onReport(dataPlane, message) {
      if (message.type === 'dismiss') asked.get(`${dataPlane} ${message.id}`)?.abort();
      else if (message.type === 'submit') {
        void answer(dataPlane, message.id, () => desk.submit(message.submission));
      } else if (message.type === 'inquire') {
        void answer(dataPlane, message.id, (signal) => desk.inquire(message.inquiry, signal));
      }
    },
    cancel,
    askDeliveries: () => webhooks.ask(),
    metrics: () => metrics.text(),
    async close() {
      await tidying.close();
      news.close();
      await dispatcher.close();
      await webhooks.close();
      sender.close();
    },
  };
}
