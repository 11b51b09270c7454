import { describe, expect, test } from 'vitest';
import { findAddresses } from '#knative/ingress/endpoints.ts';
import type { Endpoint, EndpointSlice, Service } from '#knative/ingress/objects.ts';

const metadata = { name: 'digits', namespace: 'shop' };

const service = (...ports: { name?: string; port: number; appProtocol?: string }[]): Service => ({
  metadata,
  spec: { ports },
});

function slice(
  port: number,
  endpoints: Endpoint[],
  name = '',
  addressType = 'IPv4',
): EndpointSlice {
  return { metadata, addressType, endpoints, ports: [{ name, port }] };
}

const at = (address: string, conditions = {}): Endpoint => ({ addresses: [address], conditions });
const backend = (port: number | string) => ({ namespace: 'shop', service: 'digits', port });

describe('where a port of a Service is reached', () => {
  test.each([
    ['by its number', 80, service({ port: 80 }), slice(8080, [at('10.0.0.1')]), ['10.0.0.1:8080']],
    [
      'by its name',
      'web',
      service({ name: 'admin', port: 81 }, { name: 'web', port: 80 }),
      slice(8080, [at('10.0.0.1')], 'web'),
      ['10.0.0.1:8080'],
    ],
    [
      'at the port of that name only',
      80,
      service({ name: 'web', port: 80 }),
      slice(9090, [at('10.0.0.1')], 'metrics'),
      [],
    ],
    ['by IPv6', 80, service({ port: 80 }), slice(80, [at('fd00::1')], '', 'IPv6'), ['fd00::1:80']],
    ['not by names', 80, service({ port: 80 }), slice(80, [at('x.org')], '', 'FQDN'), []],
    [
      'at those that are ready',
      80,
      service({ port: 80 }),
      slice(80, [
        at('10.0.0.1', { ready: false }),
        at('10.0.0.2', { ready: true }),
        at('10.0.0.3'),
      ]),
      ['10.0.0.2:80', '10.0.0.3:80'],
    ],
    [
      'else at those that end and still serve',
      80,
      service({ port: 80 }),
      slice(80, [
        at('10.0.0.1', { ready: false, serving: true, terminating: true }),
        at('10.0.0.2', { ready: false, serving: false, terminating: true }),
        at('10.0.0.3', { ready: false, serving: false }),
      ]),
      ['10.0.0.1:80'],
    ],
  ])('%s', (_, port, from, slices, wanted) => {
    const found = findAddresses(backend(port), from, [slices]);
    expect(found.map((address) => `${address.host}:${address.port}`)).toEqual(wanted);
  });

  test.each([
    [{ name: 'http2', port: 80 }, true],
    [{ name: 'web', port: 80, appProtocol: 'kubernetes.io/h2c' }, true],
    [{ name: 'http', port: 80 }, false],
  ])('%o speaks HTTP/2 without TLS: %s', (port, h2c) => {
    const found = findAddresses(backend(80), service(port), [
      slice(1, [at('10.0.0.1')], port.name),
    ]);
    expect(found).toEqual([{ host: '10.0.0.1', port: 1, h2c }]);
  });

  test('a Service that stands for a name elsewhere is that name', () => {
    const external = (ports?: { name: string; port: number }[]): Service => ({
      metadata,
      spec: { type: 'ExternalName', externalName: 'other.example.com', ...(ports && { ports }) },
    });
    expect(findAddresses(backend(80), external([{ name: 'http2', port: 80 }]), [])).toEqual([
      { host: 'other.example.com', port: 80, h2c: true },
    ]);
    expect(findAddresses(backend(81), external(), [])).toEqual([
      { host: 'other.example.com', port: 81, h2c: false },
    ]);
    expect(() => findAddresses(backend('web'), external(), [])).toThrow(/has no port web/);
  });

  test('what is not there is told', () => {
    expect(() => findAddresses(backend(80), undefined, [])).toThrow(
      'Service digits does not exist',
    );
    expect(() => findAddresses(backend(81), service({ port: 80 }), [])).toThrow(
      'Service digits has no port 81',
    );
  });
});
