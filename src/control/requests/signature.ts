import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** What webhooks of a namespace are signed with. It follows from the platform's secret, so nothing is stored of it. */
export function makeWebhookSecret(platformSecret: Uint8Array, namespace: string): string {
  const bytes = createHmac('sha256', platformSecret).update(`webhooks ${namespace}`).digest();
  return PREFIX + bytes.toString('base64');
}

/**
 * Header fields of a webhook, as Standard Webhooks 1.0 has them: `v1` is the HMAC-SHA256 of id, time and body.
 *
 * @param at ms since the epoch; receivers refuse what is old.
 */
export function signWebhook(
  secret: string,
  { id, at, body }: { readonly id: string; readonly at: number; readonly body: string },
): Record<string, string> {
  const seconds = String(Math.floor(at / 1000));
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${mac}`,
  };
}
