import { describe, expect, test } from 'vitest';
import { expandHosts } from '#knative/ingress/hosts.ts';
import { findPath } from '#knative/ingress/match.ts';
import type { Ingress, IngressPath, IngressSpec } from '#knative/ingress/objects.ts';
import { backendsOf, parseRouting } from '#knative/ingress/rules.ts';

const DOMAIN = 'cluster.local';

const to = (serviceName: string, more = {}) => ({
  serviceNamespace: 'shop',
  serviceName,
  servicePort: 80,
  percent: 100,
  ...more,
});

function ingress(spec: IngressSpec): Ingress {
  return { metadata: { namespace: 'shop', name: 'digits' }, spec };
}

function withPaths(...paths: IngressPath[]) {
  const rules = [{ hosts: ['a.example.com'], http: { paths } }];
  return parseRouting(ingress({ rules }), DOMAIN);
}

const fields = (values: Record<string, string>) => ({
  findAll: (name: string) => values[name] ?? '',
});

describe('hosts', () => {
  test.each([
    [['A.example.com'], ['a.example.com']],
    [['d.shop.svc.cluster.local'], ['d.shop.svc.cluster.local', 'd.shop.svc', 'd.shop']],
    [['d.shop.svc'], ['d.shop.svc']],
    [['1.2.3.4'], []],
    [['x.1'], []],
  ])('%s are known as %s', (hosts, names) => {
    expect([...expandHosts(hosts, DOMAIN)]).toEqual(names);
  });
});

describe('the way of a request', () => {
  const { hosts } = withPaths(
    { splits: [to('all')] },
    { path: '/v', splits: [to('short')] },
    { path: '/v1', splits: [to('long')] },
    { headers: { Tag: { exact: 'x' } }, splits: [to('tagged')] },
    { headers: { Tag: { exact: 'x' }, Other: { exact: 'y' } }, splits: [to('both')] },
  );
  const paths = hosts[0]?.paths ?? [];

  test.each([
    ['/', {}, 'all'],
    ['/x', {}, 'all'],
    ['/v?a', {}, 'short'],
    ['/v1', {}, 'long'],
    ['/v12/x', {}, 'long'],
    ['/', { tag: 'x' }, 'tagged'],
    ['/', { tag: 'x', other: 'y' }, 'both'],
    ['/', { tag: 'x', other: 'z' }, 'tagged'],
    ['/', { tag: 'x, x' }, 'all'],
    ['/', { tag: 'X' }, 'all'],
    ['/v1', { tag: 'x' }, 'long'],
    ['/?/v1', {}, 'all'],
  ])('%s with %o goes to %s', (target, values, service) => {
    const found = findPath(paths, target, fields(values));
    expect(found?.splits[0]?.backend.service).toBe(service);
    expect(found?.probe).toBeUndefined();
  });

  test('a probe goes the same way, and is told the hash', () => {
    const { hash } = withPaths({ splits: [to('all')] });
    const [rules] = withPaths({ splits: [to('all')] }).hosts;
    const found = findPath(rules?.paths ?? [], '/', fields({ 'k-network-hash': 'override' }));
    expect(found?.probe).toBe(hash);
    expect(found?.splits[0]?.set).toEqual({ 'K-Network-Hash': hash });
    const other = findPath(rules?.paths ?? [], '/', fields({ 'k-network-hash': 'abc' }));
    expect(other?.probe).toBeUndefined();
  });

  test('without a path that fits there is none', () => {
    const rules = withPaths({ path: '/only', splits: [to('a')] }).hosts[0];
    expect(findPath(rules?.paths ?? [], '/', fields({}))).toBeUndefined();
  });
});

test('what a split sets comes after what its path does; a single one has all of it', () => {
  const { hosts } = withPaths({
    rewriteHost: 'inner.example.com',
    appendHeaders: { A: 'path', B: 'path' },
    splits: [{ ...to('one'), percent: undefined, appendHeaders: { B: 'split' } }],
  });
  expect(hosts[0]?.paths.at(-1)?.splits).toEqual([
    {
      backend: { namespace: 'shop', service: 'one', port: 80 },
      percent: 100,
      set: { A: 'path', B: 'split' },
      host: 'inner.example.com',
    },
  ]);
});

test('what is public is so unless it says otherwise, and only that redirects', () => {
  const http = { paths: [{ splits: [to('a')] }] };
  const { hosts } = parseRouting(
    ingress({
      httpOption: 'Redirected',
      rules: [
        { hosts: ['a.example.com'], http },
        { hosts: ['a.shop'], visibility: 'ClusterLocal', http },
      ],
    }),
    DOMAIN,
  );
  expect(hosts.map(({ isPublic, redirects }) => [isPublic, redirects])).toEqual([
    [true, true],
    [false, false],
  ]);
});

test('each backend is named once', () => {
  const routing = withPaths(
    { splits: [to('a')] },
    { path: '/b', splits: [to('a', { percent: 40 }), to('b', { percent: 60 })] },
    { path: '/c', splits: [to('a', { servicePort: 'http2' })] },
  );
  expect([...backendsOf(routing).keys()]).toEqual(['shop/a:80', 'shop/b:80', 'shop/a:http2']);
});

describe('what is refused', () => {
  const bad = (path: IngressPath) => () => withPaths(path);

  test.each([
    [bad({ splits: [] }), /the split has 0 %/],
    [bad({ splits: [to('a', { percent: 50 })] }), /the split has 50 %; expected 100/],
    [bad({ path: 'x', splits: [to('a')] }), /path x: expected a \//],
    [
      bad({ splits: [to('a', { serviceNamespace: 'other' })] }),
      /in namespace other; expected shop/,
    ],
    [
      bad({ splits: [to('a', { percent: 150 }), to('b', { percent: -50 })] }),
      /percent 150: expected a whole number from 0 to 100/,
    ],
    [bad({ path: '/a?b', splits: [to('a')] }), /path \/a\?b: expected .* without \? and #/],
    [bad({ path: '/\u00fc', splits: [to('a')] }), /path \/\u00fc: expected .* visible ASCII/],
    [
      bad({ headers: { 'a b': { exact: 'x' } }, splits: [to('a')] }),
      /header "a b: x": no request can have it/,
    ],
    [
      bad({ headers: { a: { exact: 'x\r\ny' } }, splits: [to('a')] }),
      /header "a: x\\r\\ny": no request can have it/,
    ],
    [bad({ splits: [{ percent: 100 }] }), /names no Service/],
    [
      () => parseRouting(ingress({ rules: [{ hosts: ['1.2.3.4'], http: { paths: [] } }] }), DOMAIN),
      /a rule has no host/,
    ],
    [
      () => parseRouting(ingress({ tls: [{ secretName: 's', secretNamespace: 'other' }] }), DOMAIN),
      /the Secret s is in namespace other; expected shop/,
    ],
  ])('%#', (parse, message) => {
    expect(parse).toThrow(message);
  });
});
