import { Counter, Gauge, Registry } from 'prom-client';
import type { Requests } from '#store/requests/requests.ts';

const OUTCOMES = ['accepted', 'repeated', 'done', 'failed', 'expired', 'cancelled'] as const;
const DELIVERED = ['delivered', 'waiting', 'dead'] as const;

export interface RequestMetrics {
  counted(outcome: (typeof OUTCOMES)[number]): void;
  delivered(outcome: (typeof DELIVERED)[number]): void;
  /** So many were found unsettled when control began. */
  recovered(of: { readonly requests: number; readonly deliveries: number }): void;
  text(): Promise<string>;
}

/** Label values are fixed words: which model it was is in the list of requests. */
export function createRequestMetrics(store: Requests): RequestMetrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'rouse_async_requests_total',
    help: 'Asynchronous requests, by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const deliveries = new Counter({
    name: 'rouse_webhook_attempts_total',
    help: 'Webhooks that were sent, by what became of it.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const repeats = new Counter({
    name: 'rouse_async_recovered_total',
    help: 'What ran when control ended without a word, and is sent again.',
    labelNames: ['what'] as const,
    registers,
  });
  const kept = new Gauge({
    name: 'rouse_async_requests',
    help: 'Asynchronous requests that are kept.',
    labelNames: ['state'] as const,
    registers,
  });
  const bytes = new Gauge({
    name: 'rouse_async_bytes',
    help: 'Of requests that wait, and of answers that are kept.',
    registers,
  });
  const webhooks = new Gauge({
    name: 'rouse_webhooks',
    help: 'Webhooks of requests that are kept.',
    labelNames: ['state'] as const,
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await store.deliveries.counts())) {
        webhooks.set({ state }, count);
      }
    },
  });
  for (const outcome of OUTCOMES) requests.inc({ outcome }, 0);
  for (const outcome of DELIVERED) deliveries.inc({ outcome }, 0);
  return {
    counted: (outcome) => requests.inc({ outcome }),
    delivered: (outcome) => deliveries.inc({ outcome }),
    recovered(of) {
      repeats.inc({ what: 'request' }, of.requests);
      repeats.inc({ what: 'webhook' }, of.deliveries);
    },
    async text() {
      const counts = await store.requests.counts();
      for (const state of ['waiting', 'running', 'ended'] as const) {
        kept.set({ state }, counts[state]);
      }
      bytes.set(counts.bytes);
      return await registry.metrics();
    },
  };
}
