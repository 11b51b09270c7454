import { expect, test } from 'vitest';
import { decideDelivery, DELIVERY_PACE, type Sent } from '#policies/requests/delivery.ts';

const sent: Sent = {
  status: 200,
  failure: '',
  isForbidden: false,
  attempts: 1,
  ageMs: 0,
  retryAfterMs: 0,
  roll: 0.5,
};

test.each([
  [{ status: 200 }, 'delivered'],
  [{ status: 204, ageMs: 1e12 }, 'delivered'],
  [{ status: 302 }, 'waiting'],
  [{ status: 400 }, 'waiting'],
  [{ status: 500, attempts: 1000 }, 'waiting'],
  [{ status: 410 }, 'dead'],
  [{ status: 0, failure: 'refused' }, 'waiting'],
  [{ status: 0, failure: 'a private address', isForbidden: true }, 'dead'],
  [{ status: 500, ageMs: DELIVERY_PACE.giveUpMs }, 'dead'],
] as const)('a webhook that came to %j is %s', (change, state) => {
  expect(decideDelivery({ ...sent, ...change }).state).toBe(state);
});

test('a receiver may ask for time, but not for more than the longest wait', () => {
  const later = (retryAfterMs: number) => decideDelivery({ ...sent, status: 503, retryAfterMs });
  expect(later(60_000)).toMatchObject({ afterMs: 60_000 });
  expect(later(1e12)).toMatchObject({ afterMs: DELIVERY_PACE.longestMs });
});

test('the reason tells what happened last', () => {
  expect(decideDelivery({ ...sent, status: 500 }).why).toBe('answered with 500');
  expect(decideDelivery({ ...sent, status: 0, failure: 'no answer within 10s' }).why).toBe(
    'no answer within 10s',
  );
});
