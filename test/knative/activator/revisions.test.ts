import { describe, expect, test } from 'vitest';
import { readAddresses, readIps } from '#knative/activator/addresses.ts';
import { readClusterDomain } from '#knative/api/cluster-domain.ts';
import { readRevisionHost } from '#knative/activator/host.ts';
import { makeRoutingModel, portNameOf, trustsProbe } from '#knative/activator/routing-model.ts';
import { makeRevision } from './manifests.ts';

describe('a Revision becomes a model', () => {
  test('of its name, with one revision of the same name', () => {
    expect(makeRoutingModel(makeRevision('digits-1', { containerConcurrency: 3 }))).toMatchObject({
      namespace: 'shop',
      name: 'digits-1',
      targets: [{ revision: 'digits-1', percent: 100 }],
      revisions: [{ name: 'digits-1', state: 'Ready', concurrency: 3 }],
    });
  });

  test.each([
    ['all is counted from arrival', {}, { hold: 300_000, run: 300_000, total: 300_000, idle: 0 }],
    ['without a word of Knative', { timeoutSeconds: 0 }, { hold: 300_000, total: 300_000 }],
    ['a total', { timeoutSeconds: 20 }, { hold: 20_000, total: 20_000 }],
    ['a start', { responseStartTimeoutSeconds: 5 }, { hold: 5000, total: 300_000 }],
    ['nothing for so long', { idleTimeoutSeconds: 7 }, { hold: 7000, idle: 7000 }],
  ])('timeouts: %s', (_, spec, timeouts) => {
    expect(makeRoutingModel(makeRevision('a', spec)).revisions[0]?.timeouts).toMatchObject(
      timeouts,
    );
  });

  test.each([
    [{}, undefined],
    [{ responseStartTimeoutSeconds: 5 }, 5000],
    [{ responseStartTimeoutSeconds: 5, idleTimeoutSeconds: 2 }, 2000],
    [{ idleTimeoutSeconds: 9 }, 9000],
  ])('%j: the response has to begin within %s ms', (spec, ms) => {
    expect(makeRoutingModel(makeRevision('a', spec)).revisions[0]?.responseStart).toBe(ms);
  });

  test('its protocol is the name of its port', () => {
    expect(portNameOf(makeRevision('a'))).toBe('http');
    expect(portNameOf(makeRevision('a', { containers: [{ ports: [{ name: 'http1' }] }] }))).toBe(
      'http',
    );
    const h2c = { ports: [{ name: 'h2c' }] };
    expect(portNameOf(makeRevision('a', { containers: [h2c] }))).toBe('http2');
    expect(portNameOf(makeRevision('a', { containers: [{}, h2c] }))).toBe('http2');
  });

  test('the word of a queue-proxy is enough but for probes that only kubelet makes', () => {
    const trusts = (...containers: object[]) => trustsProbe(makeRevision('a', { containers }));
    expect(trusts({})).toBe(true);
    expect(trusts({ readinessProbe: {} })).toBe(true);
    expect(trusts({ readinessProbe: { exec: { command: ['x'] } } })).toBe(false);
    expect(trusts({ startupProbe: {} })).toBe(false);
    expect(trusts({ ports: [{}] }, { startupProbe: {} })).toBe(false);
  });
});

describe('Endpoints', () => {
  const metadata = { name: 'a' };
  const subsets = [
    { addresses: [{ ip: '10.0.0.2' }], ports: [{ name: 'http', port: 8012 }] },
    {
      addresses: [{ ip: '10.0.0.1' }],
      notReadyAddresses: [{ ip: '10.0.0.2' }, { ip: 'fd00::1' }],
      ports: [
        { name: 'metrics', port: 9090 },
        { name: 'http', port: 8012 },
      ],
    },
    { addresses: [{ ip: '10.0.0.9' }], ports: [{ name: 'http2', port: 8013 }] },
  ];

  test('the addresses at a port of this name, ready or not', () => {
    expect(Object.fromEntries(readAddresses({ metadata, subsets }, 'http'))).toEqual({
      '10.0.0.1:8012': true,
      '10.0.0.2:8012': true,
      '[fd00::1]:8012': false,
    });
    expect([...readAddresses({ metadata }, 'http')]).toEqual([]);
  });

  test('those that are ready, in order', () => {
    expect(readIps({ metadata, subsets }, 'http')).toEqual(['10.0.0.1', '10.0.0.2']);
  });
});

describe('names', () => {
  test.each([
    ['r.n.svc.cluster.local', { name: 'r', namespace: 'n' }],
    ['r.n.svc.cluster.local.evil', undefined],
    ['x.r.n.svc.cluster.local', undefined],
    ['n.svc.cluster.local', undefined],
    ['.n.svc.cluster.local', undefined],
    ['r.n.svc.example', undefined],
    ['', undefined],
  ])('host %s', (host, named) => {
    expect(readRevisionHost(host, 'cluster.local')).toEqual(named);
  });

  test.each([
    [undefined, 'search a.svc.example.org svc.example.org example.org\n', 'example.org'],
    [undefined, 'nameserver 10.0.0.1\nsearch svc.example.org. x\n', 'example.org'],
    [undefined, 'nameserver 10.0.0.1\n', 'cluster.local'],
    ['own.domain', 'search svc.example.org\n', 'own.domain'],
    ['', 'search x svc.example.org\n', 'example.org'],
  ])('the domain of the cluster: %s, %j', (named, text, domain) => {
    expect(readClusterDomain(named, text)).toBe(domain);
  });
});
