import type { SecureContext } from 'node:tls';
import { makeCertificate } from '#activator/entry/certificates.ts';
import type { Secret } from '#knative/ingress/objects.ts';
import type { Routing } from '#knative/ingress/rules.ts';

/**
 * The certificates of an Ingress, by the hosts that they are for: those that it names, or else those that the
 * certificate does. Throws Fault `invalid` for what is no certificate with its key.
 */
export function makeContexts(
  { certificates }: Routing,
  secrets: ReadonlyMap<string, Secret>,
): (readonly [string, SecureContext])[] {
  return certificates.flatMap(({ hosts, secret }) => {
    const called = {
      certificate: `tls.crt of Secret ${secret}`,
      key: `tls.key of Secret ${secret}`,
    };
    const { 'tls.crt': chain = '', 'tls.key': key = '' } = secrets.get(secret)?.data ?? {};
    const { context, names } = makeCertificate(fromBase64(chain), fromBase64(key), called);
    return (hosts.length > 0 ? hosts : names).map((host) => [host, context] as const);
  });
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64');
}
