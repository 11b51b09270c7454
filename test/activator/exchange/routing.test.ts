import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { useTeardown } from '#test/teardown.ts';
import {
  call,
  type Harness,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
  startInstance,
} from '../harness.ts';

let harness: Harness;
const teardown = useTeardown();
let instances: Awaited<ReturnType<typeof startInstance>>[] = [];
const inputs = [{ name: 'x', datatype: 'FP32', shape: [-1, 64] }];

beforeAll(async () => {
  harness = await startHarness();
  const names = ['v1', 'v2', 'other', 'sticky1', 'sticky2', 'v1', 'v2', 'v1', 'v2'];
  instances = await Promise.all(
    names.map((name) =>
      startInstance((incoming, response) => response.end(`${name} ${incoming.url}`)),
    ),
  );
  const at = (i: number, revision: string) => makeInstance(instances[i]?.port ?? 0, { revision });
  const two = [makeRevision({ name: 'v1', inputs }), makeRevision({ name: 'v2' })];
  harness.publisher.update({
    models: [
      makeModel({
        targets: [
          { revision: 'v1', percent: 90 },
          { revision: 'v2', percent: 10, tag: 'canary' },
        ],
        revisions: two,
      }),
      makeModel({ namespace: 'team', name: 'other' }),
      makeModel({ name: 'job-digits-1', ofJob: true }),
      makeModel({
        name: 'sticky',
        sticky: { cookie: 'split' },
        targets: [
          { revision: 'v1', percent: 50 },
          { revision: 'v2', percent: 50 },
        ],
        revisions: two,
      }),
      makeModel({
        name: 'by-user',
        sticky: { header: 'X-User' },
        targets: [
          { revision: 'v1', percent: 50 },
          { revision: 'v2', percent: 50 },
        ],
        revisions: two,
      }),
      makeModel({
        name: 'grouped',
        targets: [
          { revision: 'v1', percent: 100 },
          { revision: 'v2', percent: 0, match: { header: 'X-Group', values: ['beta', 'staff'] } },
          { revision: 'v1', percent: 0, match: { header: 'X-Group', values: ['old'] } },
          { revision: 'gone', percent: 0, match: { header: 'X-Group', values: ['gone'] } },
        ],
        revisions: two,
      }),
      makeModel({
        name: 'newest-first',
        targets: [
          { revision: 'v2', percent: 10, tag: 'canary' },
          { revision: 'v1', percent: 90 },
        ],
        revisions: two,
      }),
      makeModel({ name: 'asleep', revisions: [makeRevision({ inputs })] }),
      makeModel({
        name: 'broken',
        targets: [],
        revisions: [makeRevision({ state: 'Failed', reason: 'exited with status 3' })],
      }),
      makeModel({
        name: 'too-large',
        targets: [],
        revisions: [makeRevision({ state: 'Proving', waitingFor: 'waits for room: no memory' })],
      }),
    ],
    instances: [
      at(0, 'default/digits/v1'),
      at(1, 'default/digits/v2'),
      at(2, 'team/other/v1'),
      at(3, 'default/sticky/v1'),
      at(4, 'default/sticky/v2'),
      at(5, 'default/grouped/v1'),
      at(6, 'default/grouped/v2'),
      at(7, 'default/by-user/v1'),
      at(8, 'default/by-user/v2'),
    ],
  });
  await harness.activator.ready;
});

afterAll(async () => {
  await harness.close();
  for (const instance of instances) await instance.close();
});

describe('addresses', () => {
  test.each([
    ['header', '/a/b', { 'Rouse-Model': 'team/other' }, 'other /a/b'],
    ['header with revision', '/a', { 'Rouse-Model': 'digits', 'Rouse-Revision': 'v2' }, 'v2 /a'],
    ['host', '/healthz?x', { Host: 'other.team.localhost:8080' }, 'other /healthz?x'],
    [
      "host, where V2 paths are the model's own",
      '/v2',
      { Host: 'other.team.localhost' },
      'other /v2',
    ],
    ['host with a tag', '/a', { Host: 'canary-digits.default.localhost' }, 'v2 /a'],
    ['path', '/models/team/other/a/b?c=d', {}, 'other /a/b?c=d'],
    ['path without a rest', '/models/team/other', {}, 'other /'],
    ['path without a rest, with a query', '/models/team/other?c', {}, 'other /?c'],
    ['V2', '/v2/models/digits/versions/v2/infer', {}, 'v2 /v2/models/digits/versions/v2/infer'],
    [
      'V2 with a namespace by header',
      '/v2/models/x/infer',
      { 'Rouse-Model': 'team/other' },
      'other /v2/models/x/infer',
    ],
    ['V1', '/v1/models/digits:predict', { 'Rouse-Revision': 'v2' }, 'v2 /v1/models/digits:predict'],
  ])('by %s', async (_, path, headers, expected) => {
    const answer = await call(harness.port, path, { headers, body: '{}' });
    expect(answer).toMatchObject({ status: 200, body: expected });
  });

  test.each(['digits', 'default/digits'])(
    'by the model field of an OpenAI body: %s',
    async (model) => {
      const answer = await call(harness.port, '/v1/chat/completions', {
        body: JSON.stringify({ messages: [], model }),
      });
      expect(answer.body).toMatch(/^v[12] \/v1\/chat\/completions$/);
    },
  );

  test('an OpenAI body that comes in pieces, and a large one', async () => {
    const model = 'team/other';
    const body = JSON.stringify({ input: 'a'.repeat(3_000_000), model });
    const headers = { 'Transfer-Encoding': 'chunked' };
    expect((await call(harness.port, '/v1/embeddings', { body, headers })).body).toBe(
      'other /v1/embeddings',
    );
    const tooLarge = JSON.stringify({ input: 'a'.repeat(9_000_000), model });
    const refused = await call(harness.port, '/v1/embeddings', { body: tooLarge }).catch(
      () => undefined,
    );
    if (refused) expect(refused.status).toBe(413);
  });

  test.each([
    ['no body to read', '', 400],
    ['no JSON', '{', 400],
    ['no model', '{}', 404],
    ['a model that is no text', '{"model":3}', 404],
    ['an unknown model', '{"model":"nobody"}', 404],
  ])('OpenAI: %s', async (_, body, status) => {
    const answer = await call(harness.port, '/v1/completions', { body });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { type: 'invalid_request_error' } });
  });
});

test.each([
  ['/healthz', 'GET'],
  ['/v2/health/ready', 'GET'],
  ['/v2/models/digits/infer', 'POST'],
  ['/v1/chat/completions', 'POST'],
  ['/models/default/digits/', 'GET'],
])('a host under the domain that names no model: %s is of none', async (path, method) => {
  const body = method === 'POST' ? '{"model":"digits"}' : undefined;
  for (const host of ['typo.default.localhost', 'none-digits.default.localhost:8080']) {
    const options = { method, headers: { Host: host }, ...(body !== undefined && { body }) };
    const answer = await call(harness.port, path, options);
    expect(answer.status).toBe(404);
    expect(answer.body).toContain(`There is no model at host \\"${host.split(':')[0]}\\"`);
  }
});

test.each(['localhost', 'a.b.c.localhost', 'default.localhost', 'a.b.example', 'xlocalhost'])(
  'host %s is of no model, and the path decides',
  async (host) => {
    const headers = { Host: host };
    expect((await call(harness.port, '/healthz', { headers })).status).toBe(200);
    const path = '/models/team/other/a';
    expect((await call(harness.port, path, { headers })).body).toBe('other /a');
  },
);

test('on a host that names no model the header still does', async () => {
  const headers = { Host: 'typo.default.localhost', 'Rouse-Model': 'team/other' };
  expect((await call(harness.port, '/a', { headers })).body).toBe('other /a');
});

test.each([
  ['an unknown model', '/v1/models/nobody:predict', {}, 404],
  ['an unknown model by header', '/v1/models/x:predict', { 'Rouse-Model': 'nobody' }, 404],
  ['a known one', '/v1/models/broken:predict', {}, 503],
  ['a known one by header', '/v1/models/x:explain', { 'Rouse-Model': 'broken' }, 503],
])('V1 is refused as its clients know it: %s', async (_, path, headers, status) => {
  const answer = await call(harness.port, path, { headers, body: '{}' });
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toMatchObject({ error: expect.any(String) });
});

describe('what is answered without waking anything', () => {
  const cases: readonly [string, number, object][] = [
    ['/v2', 200, { name: 'rouse' }],
    ['/v2/health/live', 200, {}],
    ['/v2/models/asleep', 200, { name: 'asleep', versions: ['v1'], inputs, state: 'asleep' }],
    ['/v2/models/digits', 200, { versions: ['v1', 'v2'], state: 'awake' }],
    ['/v2/models/asleep/ready', 200, { ready: true, state: 'asleep' }],
    ['/v2/models/asleep/versions/v1/ready', 200, { ready: true }],
    ['/v2/models/asleep/versions/v9', 404, {}],
    [
      '/v2/models/broken/ready',
      503,
      { ready: false, state: 'failed', error: 'exited with status 3' },
    ],
    ['/v2/models/nobody', 404, { code: 'not_found' }],
    ['/v1/models/asleep', 200, { ready: true, object: 'model' }],
    ['/v1/models', 200, { object: 'list' }],
    ['/nowhere', 404, { code: 'not_found' }],
    ['/models/team/nobody/', 404, { code: 'not_found' }],
  ];
  test.each(cases)('%s', async (path, status, body) => {
    const answer = await call(harness.port, path);
    expect(answer.status).toBe(status);
    if (answer.headers['content-type']?.includes('json'))
      expect(JSON.parse(answer.body)).toMatchObject(body);
    expect(harness.reports.filter((report) => report.type === 'wake')).toEqual([]);
  });

  test('a list of models is without those of jobs, which can be called all the same', async () => {
    const listed = JSON.parse((await call(harness.port, '/v1/models')).body) as {
      data: { id: string }[];
    };
    const ids = listed.data.map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(['digits', 'team/other']));
    expect(ids).not.toContain('job-digits-1');
    expect((await call(harness.port, '/v2/models/job-digits-1')).status).toBe(200);
  });

  test.each([
    ['/v2/models/newest-first', {}, 'v1'],
    ['/v2/models/newest-first', { 'Rouse-Revision': 'v2' }, 'v2'],
    ['/any', { Host: 'newest-first.default.localhost' }, 'v1'],
    ['/any', { Host: 'canary-newest-first.default.localhost' }, 'v2'],
  ])('%s with %j: what is shown is of %s', async (path, headers, expected) => {
    const status = await call(harness.port, path, {
      headers: { ...headers, 'Rouse-Status': 'true' },
    });
    expect(JSON.parse(status.body)).toMatchObject({ revision: expected });
    if (path === '/any') return;
    const metadata = await call(harness.port, path, { headers });
    const shown = { parameters: { revision: expected }, ...(expected === 'v1' && { inputs }) };
    expect(JSON.parse(metadata.body)).toMatchObject(shown);
  });

  test('a revision that is not there: one sentence wherever it is asked for, and not a long one', async () => {
    const name = `9"${'x'.repeat(500)}`;
    const detail = `Model digits has no revision "9\\"${'x'.repeat(128)}…"; it has: v1, v2.`;
    const headers = { 'Rouse-Revision': name };
    for (const path of [
      '/v2/models/digits',
      '/models/default/digits/',
      '/status/models/default/digits',
    ]) {
      const { status, body } = await call(harness.port, path, { headers });
      const said = JSON.parse(body) as { detail?: string; error?: string };
      expect([status, said.detail ?? said.error], path).toEqual([404, detail]);
    }
  });

  test('a model that failed says why', async () => {
    const answer = await call(harness.port, '/models/default/broken/');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'revision_failed' });
    const { detail } = JSON.parse(answer.body) as { detail: string };
    expect(detail).toBe(
      'Revision v1 of broken has failed: exited with status 3. See: npx rouse logs broken',
    );
    expect(Number(answer.headers['retry-after']), 'nothing is tried again').toBe(30);
    expect(answer.headers['rouse-revision']).toBe('v1');
  });

  test('one that was never ready, and waits for room, says that it does', async () => {
    const answer = await call(harness.port, '/models/default/too-large/');
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 'unavailable',
      detail: 'Revision v1 of too-large is not ready yet (Proving): waits for room: no memory',
    });
  });

  test('one whose failure is remembered for longer is asked for again after that', async () => {
    const startFailure = { message: 'exited with status 3', until: systemClock.now() + 90_000 };
    const revision = makeRevision({ state: 'Failed', reason: 'no memory.', startFailure });
    const model = { namespace: 'team', name: 'worse', targets: [], revisions: [revision] };
    harness.publisher.update({ models: [makeModel(model)] });
    const path = '/models/team/worse/';
    let answer = await call(harness.port, path);
    while (answer.status === 404) answer = await call(harness.port, path);
    expect(answer.body).toContain('has failed: no memory. See: npx rouse logs worse -n team');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(80);
    expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(90);
  });
});

test('before the routing state is there, nobody is told that a model does not exist', async () => {
  const early = await startHarness();
  teardown(() => early.close());
  for (const path of ['/healthz', '/v2/models/digits/infer', '/v1/models']) {
    const answer = await call(early.port, path);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
  }
  early.publisher.update({});
  await early.activator.ready;
  expect((await call(early.port, '/healthz')).status).toBe(200);
});

describe('splits', () => {
  test('are exact: 1,000 calls give 900 and 100', async () => {
    const counts = { v1: 0, v2: 0 };
    for (let i = 0; i < 1000; i += 1) {
      const answer = await call(harness.port, '/models/default/digits/');
      counts[answer.headers['rouse-revision'] as 'v1' | 'v2'] += 1;
    }
    expect(counts).toEqual({ v1: 900, v2: 100 });
  });

  test.each([
    ['a value that a row names', { 'X-Group': 'beta' }, 'v2'],
    ['another one, and the name in lower case', { 'x-group': 'staff' }, 'v2'],
    ['a value of another row', { 'X-Group': 'old' }, 'v1'],
    ['a value that is not quite it', { 'X-Group': 'Beta' }, 'v1'],
    ['no such header', {}, 'v1'],
    ['a row whose revision has gone', { 'X-Group': 'gone' }, 'v1'],
    ['a revision named by the caller', { 'X-Group': 'beta', 'Rouse-Revision': 'v1' }, 'v1'],
  ])('by a header, before the shares: %s', async (_, headers, expected) => {
    for (let i = 0; i < 3; i += 1) {
      const answer = await call(harness.port, '/models/default/grouped/', { headers });
      expect(answer.headers['rouse-revision']).toBe(expected);
    }
  });

  test.each([
    ['the name of what every object has', { 'X-Group': '__proto__' }, 'v1'],
    ['and another one', { 'X-Group': 'constructor' }, 'v1'],
    ['several values in one', { 'X-Group': 'beta, staff' }, 'v1'],
    ['a value with more behind it', { 'X-Group': 'beta;v=2' }, 'v1'],
    ['bytes that are no text', { 'X-Group': 'b\u00eata\u00ff' }, 'v1'],
    ['much of it', { 'X-Group': 'beta'.repeat(3000) }, 'v1'],
    ['none of it', { 'X-Group': '' }, 'v1'],
    ['space around it, which is no part of it', { 'X-Group': ' \tbeta\t ' }, 'v2'],
    ['twice: the first counts', { 'X-Group': ['old', 'beta'] }, 'v1'],
    ['a header of another name that looks like it', { 'X-Group-': 'beta', X_Group: 'beta' }, 'v1'],
  ])('by a header whose caller means no good: %s', async (_, headers, expected) => {
    const answer = await call(harness.port, '/models/default/grouped/', { headers });
    expect([answer.status, answer.headers['rouse-revision']]).toEqual([200, expected]);
  });

  const revisionFor = async (headers: Record<string, string | string[]>): Promise<string> => {
    const answer = await call(harness.port, '/models/default/by-user/', { headers });
    expect(answer.status).toBe(200);
    expect(answer.headers['set-cookie']).toBeUndefined();
    return String(answer.headers['rouse-revision']);
  };

  test('sticky by header: each value meets one revision, and values are spread as the split says', async () => {
    const seen = { v1: 0, v2: 0 };
    for (let user = 0; user < 200; user += 1) {
      const headers = { 'X-User': `user-${user}` };
      const revision = await revisionFor(headers);
      expect(await revisionFor({ 'x-user': `user-${user}` })).toBe(revision);
      seen[revision as 'v1' | 'v2'] += 1;
    }
    // Which ones follows from their names alone.
    expect(Math.min(seen.v1, seen.v2)).toBeGreaterThan(70);
  });

  test('sticky by header: who has none gets what the split says', async () => {
    const seen = { v1: 0, v2: 0 };
    for (let i = 0; i < 20; i += 1) seen[(await revisionFor({})) as 'v1' | 'v2'] += 1;
    expect(seen).toEqual({ v1: 10, v2: 10 });
  });

  test.each([
    ['the name of what every object has', '__proto__'],
    ['much of it', 'x'.repeat(12_000)],
    ['bytes that are no text', '\u00ff\u0080'],
    ['twice', ['one', 'two']],
  ])('sticky by a header of no good: %s', async (_, value) => {
    const first = await revisionFor({ 'X-User': value });
    expect(await revisionFor({ 'X-User': value })).toBe(first);
  });

  test.each([
    ['that was never given', 'split=chosen-by-me'],
    ['of many names', `${'a=b; '.repeat(1000)}split=1`],
    ['twice', 'split=1; split=2'],
    ['with more equal signs', 'split=a=b=c'],
    ['of no form', ';;=;split = 1 ;'],
  ])('sticky by a cookie %s: taken for what it says, and never given back', async (_, cookie) => {
    const ask = () =>
      call(harness.port, '/models/default/sticky/', { headers: { Cookie: cookie } });
    const first = await ask();
    expect(first.status).toBe(200);
    expect(first.headers['set-cookie']).toBeUndefined();
    expect((await ask()).body).toBe(first.body);
  });

  test('sticky by an empty cookie: another one is given, made here', async () => {
    const headers = { Cookie: 'split=; other=evil' };
    const { headers: answered } = await call(harness.port, '/models/default/sticky/', { headers });
    expect(answered['set-cookie']).toEqual([
      expect.stringMatching(/^split=[0-9a-f-]{36}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
  });

  test('sticky by cookie: a caller that comes back meets the same revision', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 20; i += 1) {
      const first = await call(harness.port, '/models/default/sticky/');
      const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
      expect(cookie).toMatch(/^split=/);
      seen.add(first.body);
      for (let j = 0; j < 5; j += 1) {
        const again = await call(harness.port, '/models/default/sticky/', {
          headers: { Cookie: `a=b; ${cookie}` },
        });
        expect(again.body).toBe(first.body);
        expect(again.headers['set-cookie']).toBeUndefined();
      }
    }
    expect(seen.size).toBe(2);
  });
});
