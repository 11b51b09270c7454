import { expect, test } from 'vitest';
import { isLoopback, urlOf } from '#domain/address.ts';
import { SERVER_FIELDS, serverDocument } from '#domain/server.ts';
import { parseServer, type ServerSources } from '#domain/server-sources.ts';
import { Fault } from '#lib/fault.ts';

const GIB = 2 ** 30;
const A = { certificate: 'a.pem', key: 'a.key' };
const B = { certificate: 'b.pem', key: 'b.key' };

function settings(sources: Partial<ServerSources> = {}) {
  return parseServer({ env: {}, flags: {}, totalMemory: 10 * GIB, ...sources });
}

function file(spec: unknown, more: object = {}) {
  const value = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Server', spec, ...more };
  return { name: 'rouse.yaml', value };
}

function problemsOf(sources: Partial<ServerSources>): string[] {
  try {
    settings(sources);
  } catch (error) {
    if (error instanceof Fault) return error.problems.map(({ key }) => key);
  }
  return [];
}

test('without anything said, the defaults of the interface hold', () => {
  expect(settings()).toMatchObject({
    listen: { host: '127.0.0.1', port: 8080 },
    control: { host: '127.0.0.1', port: 8081 },
    data: './.rouse',
    domain: 'localhost',
    requireKey: false,
    memory: 6 * GIB,
    drain: 30_000,
  });
});

test('a flag wins over the environment, the environment over the file', () => {
  const said = {
    file: file({ listen: 'a.example:1', domain: 'file.example', memory: '1Gi', data: '/file' }),
    env: { ROUSE_LISTEN: 'b.example:2', ROUSE_DOMAIN: 'env.example', ROUSE_DATA: '' },
    flags: { '--listen': '[::1]:3' },
  };
  expect(settings(said)).toMatchObject({
    listen: { host: '::1', port: 3 },
    domain: 'env.example',
    memory: GIB,
    data: '/file',
  });
});

const CLUSTER = {
  image: 'dev.local/server:v1',
  control: 'http://10.244.0.1:8081',
  models: false,
};
const SHARDED = {
  folder: '/batch',
  shards: { claim: { namespace: 'rouse', name: 'files' }, requests: 'http://rouse' },
};
/** Where the settings have it, if elsewhere. */
const KEYS: Record<string, string> = {
  'tls.certificate': 'tls',
  'tls.key': 'tls',
  runtime: 'knative',
  'knative.image': 'knative',
  'knative.control': 'knative',
  'knative.metrics': 'knative.metrics',
  'knative.models': 'knative.models',
  'knative.batch.folder': 'knative.batch',
  'knative.batch.claim': 'knative.batch',
  'knative.batch.requests': 'knative.batch',
};

test('every field can be said in all three ways', () => {
  const texts: Record<string, [string | true, unknown]> = {
    listen: ['0.0.0.0:90', { host: '0.0.0.0', port: 90 }],
    control: ['0.0.0.0:91', { host: '0.0.0.0', port: 91 }],
    controlHosts: ['a.example, b.example:81', ['a.example', 'b.example:81']],
    requireKey: [true, true],
    firstKey: ['/data/first-key', '/data/first-key'],
    data: ['/data', '/data'],
    memory: ['2Gi', 2 * GIB],
    pool: ['3', 3],
    runtime: ['knative', CLUSTER],
    'knative.image': ['dev.local/server:v1', CLUSTER],
    'knative.control': ['http://10.244.0.1:8081', CLUSTER],
    'knative.metrics': ['0.0.0.0:8443', { host: '0.0.0.0', port: 8443 }],
    'knative.models': [true, true],
    'knative.batch.folder': ['/batch', { folder: '/batch', shards: undefined }],
    'knative.batch.claim': ['rouse/files', SHARDED],
    'knative.batch.requests': ['http://rouse', SHARDED],
    budgets: [
      'a=4Gi, b=12',
      [
        { namespace: 'a', unit: 'memory', most: 4 * GIB },
        { namespace: 'b', unit: 'instances', most: 12 },
      ],
    ],
    'prometheus.url': ['http://127.0.0.1:9090', 'http://127.0.0.1:9090'],
    workers: ['2', 2],
    domain: ['models.example', 'models.example'],
    logLevel: ['debug', 'debug'],
    drain: ['5s', 5000],
    'tls.certificate': ['a.pem,b.pem', [A, B]],
    'tls.key': ['a.key,b.key', [A, B]],
    trustedProxies: ['10.0.0.0/8, ::1', ['10.0.0.0/8', '::1']],
    proxyProtocol: [true, true],
    'requests.anonymous': [true, true],
    'requests.most': ['7', 7],
    'requests.bytes': ['3Mi', 3 * 2 ** 20],
    'requests.keep': ['2d', 2 * 86_400_000],
    'requests.deadline': ['1h', 3_600_000],
    'webhooks.allow': ['10.0.0.0/8,fd00::/8', ['10.0.0.0/8', 'fd00::/8']],
    'limits.headerBytes': ['8Ki', 8192],
    'limits.bodyBytes': ['1Mi', 2 ** 20],
    'limits.heldBytes': ['2Mi', 2 ** 21],
    'limits.connections': ['12', 12],
    'retention.models.unusedFor': ['30d', 30 * 86_400_000],
    'retention.revisions.keep': ['3', 3],
    'retention.revisions.unusedFor': ['never', Infinity],
    'retention.jobs.unusedFor': ['7d', 7 * 86_400_000],
    'retention.artifacts.unusedFor': ['12h', 43_200_000],
    'retention.undo': ['0', 0],
  };
  expect(SERVER_FIELDS.map(({ path }) => path)).toEqual(Object.keys(texts));
  // What goes only together with another field gets that from the file.
  const rest: Record<string, object> = {
    'tls.certificate': { tls: { key: ['a.key', 'b.key'] } },
    'tls.key': { tls: { certificate: ['a.pem', 'b.pem'] } },
    proxyProtocol: { trustedProxies: ['10.0.0.1'] },
    runtime: { knative: CLUSTER },
    'knative.image': { runtime: 'knative', knative: { control: CLUSTER.control } },
    'knative.control': { runtime: 'knative', knative: { image: CLUSTER.image } },
    'knative.metrics': { runtime: 'knative', knative: CLUSTER },
    'knative.models': { runtime: 'knative', knative: CLUSTER },
    'knative.batch.folder': { runtime: 'knative', knative: CLUSTER },
    'knative.batch.claim': {
      runtime: 'knative',
      knative: { ...CLUSTER, batch: { folder: '/batch', requests: 'http://rouse' } },
    },
    'knative.batch.requests': {
      runtime: 'knative',
      knative: { ...CLUSTER, batch: { folder: '/batch', claim: 'rouse/files' } },
    },
  };
  for (const { path, flag, env } of SERVER_FIELDS) {
    const [text, value] = texts[path] ?? ['', undefined];
    const given = { file: file(rest[path] ?? {}) };
    const key = KEYS[path] ?? path;
    expect(settings({ ...given, flags: { [flag]: text } })).toHaveProperty(key, value);
    expect(settings({ ...given, env: { [env]: String(text) } })).toHaveProperty(key, value);
  }
});

test('all problems of all sources are told at once, each by the name of its source', () => {
  const said = {
    file: file({ listen: 8080, typo: 1, limits: { connections: 0 } }, { kind: 'Sever' }),
    env: { ROUSE_CONTROL: 'nowhere', ROUSE_LIMITS_CONNECTIONS: 'many' },
    flags: { '--memory': 'lots', '--control': '127.0.0.1:70000', '--control-hosts': 'ok,NOT OK' },
  };
  expect(problemsOf(said).toSorted()).toEqual(
    [
      'rouse.yaml: kind',
      'rouse.yaml: spec.limits.connections',
      'rouse.yaml: spec.listen',
      'rouse.yaml: spec.typo',
      'ROUSE_CONTROL',
      'ROUSE_LIMITS_CONNECTIONS',
      '--control',
      '--control-hosts[1]',
      '--memory',
    ].toSorted(),
  );
});

test.each([
  ['10', false],
  ['63Mi', false],
  ['64Mi', true],
  ['1G', true],
])('a budget of memory %s is one: %s', (memory, isOne) => {
  expect(problemsOf({ flags: { '--memory': memory } })).toEqual(isOne ? [] : ['--memory']);
});

test('a budget that was meant in other units is refused with what would be right', () => {
  expect(() => settings({ env: { ROUSE_MEMORY: '10' } })).toThrow(
    'ROUSE_MEMORY: found "10", expected at least 64Mi, with its unit, such as 2Gi: plain numbers are bytes',
  );
});

test('an address that is a number is refused with what would be right', () => {
  expect(() => settings({ file: file({ listen: 8443 }) })).toThrow(
    'spec.listen: found 8443, expected host:port, such as 127.0.0.1:8080',
  );
});

test('a bad value is told even when a better source hides it', () => {
  const said = { env: { ROUSE_LISTEN: 'x' }, flags: { '--listen': '127.0.0.1:1' } };
  expect(problemsOf(said)).toEqual(['ROUSE_LISTEN']);
});

test('one certificate is one file, several are lists of the same length', () => {
  const tls = (value: object) => settings({ file: file({ tls: value }) }).tls;
  expect(settings().tls).toEqual([]);
  expect(tls({ certificate: 'a.pem', key: 'a.key' })).toEqual([A]);
  expect(tls({ certificate: ['a.pem', 'b.pem'], key: ['a.key', 'b.key'] })).toEqual([A, B]);
  expect(problemsOf({ file: file({ tls: { certificate: 'a.pem' } }) })).toEqual(['tls.key']);
  expect(problemsOf({ flags: { '--tls-key': 'a.key' } })).toEqual(['tls.certificate']);
  expect(() => settings({ flags: { '--tls-certificate': 'a' } })).toThrow(/expected --tls-key /);
  expect(() => settings({ flags: { '--tls-key': 'a' } })).toThrow(/expected --tls-certificate /);
  expect(problemsOf({ flags: { '--tls-certificate': 'a,b', '--tls-key': 'a' } })).toEqual([
    'tls.key',
  ]);
});

test('what pods need is asked for where instances are pods', () => {
  expect(settings({ file: file({ knative: CLUSTER }) }).knative).toBeUndefined();
  const flags = { '--runtime': 'knative' };
  expect(problemsOf({ flags })).toEqual(['knative.image', 'knative.control']);
  expect(
    problemsOf({ flags: { ...flags, '--knative-image': 'x', '--knative-control': 'y' } }),
  ).toEqual(['--knative-control']);
  expect(problemsOf({ flags: { '--runtime': 'docker' } })).toEqual(['--runtime']);
  const batch = (said: object): unknown =>
    problemsOf({ file: file({ runtime: 'knative', knative: { ...CLUSTER, batch: said } }) });
  expect(batch({ folder: '/batch' })).toEqual([]);
  expect(batch({ claim: 'a/b' })).toEqual(['knative.batch.folder', 'knative.batch.requests']);
  expect(batch({ folder: '/batch', requests: 'http://rouse' })).toEqual(['knative.batch.claim']);
});

test('a number below the least, and a head too small for any request, are told with the bound', () => {
  expect(() => settings({ flags: { '--pool': '-1' } })).toThrow(
    '--pool: found -1, expected at least 0',
  );
  expect(() => settings({ flags: { '--limits-header-bytes': '5' } })).toThrow(
    '--limits-header-bytes: found "5", expected at least 1Ki',
  );
  expect(settings({ flags: { '--limits-header-bytes': '1Ki' } }).limits.headerBytes).toBe(1024);
});

test('the PROXY protocol is taken from proxies that are named, and networks are checked', () => {
  expect(problemsOf({ flags: { '--proxy-protocol': true } })).toEqual(['trustedProxies']);
  expect(settings({ flags: { '--trusted-proxies': '10.1.2.3,fd00::/8' } }).trustedProxies).toEqual([
    '10.1.2.3',
    'fd00::/8',
  ]);
  const wrong = '10.0.0.0/33,10.0.0,::1/129,example.org,*';
  expect(problemsOf({ flags: { '--trusted-proxies': wrong } })).toEqual(
    [0, 1, 2, 3, 4].map((i) => `--trusted-proxies[${i}]`),
  );
});

test('a file that is no mapping is a problem, not a crash', () => {
  expect(problemsOf({ file: { name: 'rouse.yaml', value: ['x'] } })).toEqual(['rouse.yaml: ']);
});

/** Fields that are nowhere unless they are said. */
const OPTIONAL: Record<string, string[]> = {
  tls: ['certificate', 'key'],
  knative: [
    'image',
    'control',
    'metrics',
    'models',
    'batch.folder',
    'batch.claim',
    'batch.requests',
  ],
  prometheus: ['url'],
  requests: ['anonymous', 'most', 'bytes', 'keep', 'deadline'],
  webhooks: ['allow'],
};

const NESTED = new Set(['limits', 'retention']);

function pathsIn(path: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => pathsIn(`${path}.${key}`, inner));
}

test('the table names every field of the schema', () => {
  const { spec } = serverDocument.parse({ apiVersion: 'rouse.dev/v1alpha1', kind: 'Server' });
  const paths = Object.entries({ ...spec, memory: 0, firstKey: '' }).flatMap(([key, value]) =>
    NESTED.has(key)
      ? pathsIn(key, value)
      : (OPTIONAL[key] ?? ['']).map((name) => (name === '' ? key : `${key}.${name}`)),
  );
  expect(SERVER_FIELDS.map(({ path }) => path).toSorted()).toEqual(paths.toSorted());
});

test('an address of all interfaces is shown as one that can be called', () => {
  expect(urlOf({ host: '0.0.0.0', port: 80 })).toBe('http://127.0.0.1:80');
  expect(urlOf({ host: '::', port: 80 })).toBe('http://[::1]:80');
  expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example'].some(isLoopback)).toBe(false);
});

test.each(['a', 'a=', 'A=3', 'a=0', 'a=0.5', 'a=3Xi', 'a=-1', 'a=1=2', 'a=0Gi'])(
  'budget %s is refused',
  (text) => {
    const [problem = '', ...more] = problemsOf({ flags: { '--budgets': text } });
    expect(problem).toMatch(/^--budgets\[0\]/);
    expect(more).toEqual([]);
  },
);

test('a file says a budget by its keys, and one of them', () => {
  const budgets = (list: unknown[]) => ({ file: file({ budgets: list }) });
  const [a, b] = [
    { namespace: 'a', memory: '4Gi' },
    { namespace: 'b', instances: 12 },
  ];
  expect(settings(budgets([a, b])).budgets).toEqual([
    { namespace: 'a', unit: 'memory', most: 4 * GIB },
    { namespace: 'b', unit: 'instances', most: 12 },
  ]);
  const wrong = ['a=4Gi', { namespace: 'a' }, { ...a, instances: 1 }, { memory: '4Gi' }];
  for (const one of wrong) {
    expect(problemsOf(budgets([one]))[0]).toMatch(/^rouse.yaml: spec.budgets\[0\]/);
  }
});
