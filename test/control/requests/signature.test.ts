import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { makeWebhookSecret, signWebhook } from '#control/requests/signature.ts';

test('the signature is that of the example in the specification of Standard Webhooks', () => {
  // From its reference libraries' tests.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const body = '{"test": 2432232314}';
  const signed = signWebhook(secret, {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    at: 1_614_265_330_000,
    body,
  });
  expect(signed).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('each namespace has a secret of its own, the same as long as the platform has its', () => {
  const platform = Buffer.alloc(32, 7);
  const one = makeWebhookSecret(platform, 'a');
  expect(one).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(makeWebhookSecret(platform, 'a')).toBe(one);
  expect(makeWebhookSecret(platform, 'b')).not.toBe(one);
  const key = createHmac('sha256', platform).update('webhooks a').digest('base64');
  expect(one).toBe(`whsec_${key}`);
});
