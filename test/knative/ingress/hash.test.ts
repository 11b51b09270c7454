import { expect, test } from 'vitest';
import { hashOf } from '#knative/ingress/hash.ts';
import type { Ingress } from '#knative/ingress/objects.ts';

/** What Knative's own `ComputeHash` (knative.dev/networking v0.0.0-20260727162500) makes of it. */
const HASH = 'a0a0fb089840659e7ede9a6464e6790c3a20fe2bccfbb15d5962524ec9ee0f7a';

const ingress: Ingress = {
  metadata: { namespace: 'shop', name: 'digits' },
  spec: {
    httpOption: 'Redirected',
    tls: [
      { hosts: ['digits.shop.example.com'], secretName: 'route-1', secretNamespace: 'shop' },
      { secretName: 's', secretNamespace: '' },
    ],
    rules: [
      {
        hosts: ['digits.shop', 'digits.shop.svc', 'digits.shop.svc.cluster.local'],
        visibility: 'ClusterLocal',
        http: {
          paths: [
            {
              headers: {
                'Knative-Serving-Tag': { exact: 'canary <&> \u2028ü😀' },
                a: { exact: '' },
              },
              appendHeaders: { b: '2', B: '1', ä: '3', '\u0001\b\f\n"\\': '\u007f' },
              splits: [
                {
                  servicePort: 80,
                  serviceName: 'digits-00002',
                  serviceNamespace: 'shop',
                  percent: 100,
                  appendHeaders: {
                    'Knative-Serving-Revision': 'digits-00002',
                    'Knative-Serving-Namespace': 'shop',
                  },
                },
              ],
            },
            {
              path: '/.well-known/x',
              rewriteHost: 'other.example.com',
              splits: [
                split('digits-00001', 'http2', 90),
                split('digits-00002', 443, 0),
                split('digits-00003', 80, 10),
              ],
            },
          ],
        },
      },
      { hosts: [], visibility: '', http: { paths: [] } },
      { visibility: 'ExternalIP' },
    ],
  },
};

function split(serviceName: string, servicePort: number | string, percent: number) {
  return { serviceName, serviceNamespace: 'shop', servicePort, percent };
}

test("the hash of an Ingress is Knative's", () => {
  expect(hashOf(ingress)).toBe(HASH);
});

test('it changes with the spec and with the name, not with what else there is of it', () => {
  const { metadata, spec } = ingress;
  expect(hashOf({ spec, metadata: { ...metadata, generation: 7, uid: 'x' } })).toBe(HASH);
  expect(hashOf({ spec, metadata: { ...metadata, name: 'other' } })).not.toBe(HASH);
  expect(hashOf({ metadata, spec: { ...spec, httpOption: 'Enabled' } })).not.toBe(HASH);
});
