import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ADMIN,
  COMMAND,
  digestOf,
  JSON_TYPE,
  makeModel,
  modelPath,
  type RawAnswer,
  startServer,
  type TestServer,
} from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server.close();
});

async function put(
  name: string,
  document: unknown,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const body = typeof document === 'string' ? document : JSON.stringify(document);
  const path = modelPath(name);
  return await server.send({ method: 'PUT', path, headers: { ...JSON_TYPE, ...headers }, body });
}

/** Waits until no revision of the model is on its way. */
async function settled(name: string): Promise<void> {
  const stop = new AbortController();
  await new Promise<void>((resolve) => {
    const look = async (): Promise<void> => {
      const { revisions } = await server.useCases.getModel(ADMIN, 'default', name);
      if (revisions.every(({ value }) => ['Ready', 'Failed'].includes(value.state))) resolve();
    };
    server.useCases.watchEvents(ADMIN, { model: name }, () => void look(), stop.signal);
    void look();
  });
  stop.abort();
}

describe('a model', () => {
  test('is made, read, changed and removed', async () => {
    const made = await put('one', makeModel('one', COMMAND));
    expect(made.status).toBe(201);
    expect(made.json()).toMatchObject({ applied: { outcome: 'created', newRevisions: ['v1'] } });
    await settled('one');

    const read = await server.send({ path: modelPath('one') });
    const { status, ...document } = read.json();
    expect(document).toEqual({
      ...makeModel('one', COMMAND),
      metadata: { name: 'one', namespace: 'default' },
    });
    expect(status).toMatchObject({
      generation: 1,
      traffic: [{ revision: 'v1', percent: 100 }],
      revisions: [{ name: 'v1', runtime: 'command', state: 'Ready' }],
      addresses: {
        path: 'http://127.0.0.1:8080/models/default/one/',
        host: 'http://one.default.localhost:8080/',
        infer: 'http://127.0.0.1:8080/v2/models/one/infer',
      },
    });
    expect(read.headers['etag']).toBe(`"${read.at('status', 'version')}"`);

    // What was read can be sent back: it changes nothing.
    const same = await put('one', read.text);
    expect(same.status).toBe(200);
    expect(same.json()['applied']).toEqual({ outcome: 'unchanged', newRevisions: [] });

    const gone = await server.send({ method: 'DELETE', path: modelPath('one') });
    expect([gone.status, gone.text]).toEqual([204, '']);
    expect((await server.send({ path: modelPath('one') })).status).toBe(404);
  });

  test('takes YAML, and keeps what was written', async () => {
    const yaml = [
      '# a comment',
      'apiVersion: rouse.dev/v1alpha1',
      'kind: Model',
      'metadata: { name: yaml }',
      'spec:',
      '  revision: { name: v1, runtime: command, args: [serve], timeouts: { hold: 5s } }',
    ].join('\n');
    const made = await put('yaml', yaml, { 'content-type': 'application/yaml; charset=utf-8' });
    expect(made.status).toBe(201);
    expect(made.json()['spec']).toEqual({
      revision: { name: 'v1', runtime: 'command', args: ['serve'], timeouts: { hold: '5s' } },
    });
  });

  test('all problems are told at once, with key, value and what would be right', async () => {
    const bad = {
      ...makeModel('other', COMMAND),
      spec: {
        revision: { runtime: 'onyx', concurrency: -1, typo: 1 },
        traffic: [{ revision: 'v1', percent: 50 }],
      },
      extra: true,
    };
    const answer = await put('bad', bad);
    expect(answer.status).toBe(422);
    const problems = answer.json();
    expect(problems).toMatchObject({ code: 'invalid', status: 422 });
    const list: { key: string; value: string; expected: string }[] = JSON.parse(
      answer.text,
    ).problems;
    expect(list.map(({ key }) => key).toSorted()).toEqual([
      'extra',
      'metadata.name',
      'spec.revision.concurrency',
      'spec.revision.runtime',
      'spec.revision.typo',
      'spec.traffic',
    ]);
    expect(list.find(({ key }) => key === 'metadata.name')).toEqual({
      key: 'metadata.name',
      value: '"other"',
      expected: '"bad", as the path says',
    });
    expect((await server.send({ path: modelPath('bad') })).status).toBe(404);
  });

  const unreadable: Record<string, [string, string, number, RegExp]> = {
    'broken JSON': ['{"a":', 'application/json', 400, /no JSON/],
    'JSON that is no object': ['[1]', 'application/json', 400, /no model document/],
    'broken YAML': ['a: [1', 'application/yaml', 400, /body:1/],
    'a key twice': ['kind: Model\nkind: Model\n', 'application/yaml', 400, /body:2: the key kind/],
    'two documents': ['a: 1\n---\na: 2\n', 'application/yaml', 400, /2 documents/],
    'no document': ['', 'application/yaml', 400, /0 documents/],
    'an alias bomb': [makeBomb(), 'application/yaml', 400, /alias/],
    'nesting without end': ['['.repeat(100_000), 'application/yaml', 400, /body:1: more than 64/],
    'deep JSON where a text is right': [
      `{"kind":${makeDeep(50_000)}}`,
      'application/json',
      422,
      /more than 64 levels/,
    ],
    'deep JSON under an unknown key': [
      `{"metadata":{"name":"never"},"x":${makeDeep(50_000)}}`,
      'application/json',
      422,
      /more than 64 levels/,
    ],
    'a body over the limit': [
      `{"a":"${'x'.repeat(1024 * 1024)}"}`,
      'application/json',
      413,
      /limit/,
    ],
    'YAML over the limit': [`a: ${'x'.repeat(300_000)}`, 'application/yaml', 413, /at most/],
    'no UTF-8': ['\u00ff', 'application/json', 400, /UTF-8/],
  };
  test.each(Object.entries(unreadable))(
    '%s is refused',
    async (_name, [text, type, status, said]) => {
      const body = Buffer.from(text, 'latin1');
      const path = modelPath('never');
      const answer = await server.send({
        method: 'PUT',
        path,
        headers: { 'content-type': type },
        body,
      });
      expect(answer.status).toBe(status);
      expect(answer.json()['detail']).toMatch(said);
      expect((await server.send({ path })).status).toBe(404);
    },
  );

  test('a list is in pages', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await put(name, makeModel(name, COMMAND));
    const seen: string[] = [];
    let after = 'default/page';
    for (;;) {
      const path = `/api/v1/namespaces/default/models?limit=2&after=${encodeURIComponent(after)}`;
      const page: { items: { metadata: { name: string } }[]; next?: string } = JSON.parse(
        (await server.send({ path })).text,
      );
      seen.push(...page.items.map(({ metadata }) => metadata.name));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen.filter((name) => name.startsWith('page-'))).toEqual(['page-a', 'page-b', 'page-c']);
  });

  test('unknown things are 404, wrong methods 405, wrong parameters 422', async () => {
    expect((await server.send({ path: modelPath('nobody') })).status).toBe(404);
    expect((await server.send({ path: modelPath('nobody', '/events') })).status).toBe(404);
    expect((await server.send({ path: modelPath('nobody', '/logs') })).status).toBe(404);
    expect((await server.send({ path: '/api/v2' })).json()).toMatchObject({ code: 'not_found' });
    const patched = await server.send({ method: 'PATCH', path: modelPath('nobody') });
    expect(patched.status).toBe(405);
    expect(patched.headers['allow']).toBe('GET, PUT, DELETE');
    for (const path of [modelPath('UPPER'), modelPath('nobody', '/logs?limit=0'), '/api/v1?x=1']) {
      const answer = await server.send({ path });
      expect([path, answer.status]).toEqual([path, 422]);
    }
  });
});

describe('two writers', () => {
  test('with If-Match only one of them wins', async () => {
    const etag = (await put('race', makeModel('race', COMMAND))).headers['etag'] ?? '';
    await settled('race');
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((max) =>
        put('race', makeModel('race', COMMAND, { scaling: { max } }), { 'if-match': etag }),
      ),
    );
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 412, 412, 412, 412]);
    const winner = answers.find(({ status }) => status === 200)?.json()['spec'];
    expect((await server.send({ path: modelPath('race') })).json()['spec']).toEqual(winner);
  });

  test('with If-None-Match: * only one of them makes it', async () => {
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((note) =>
        put('fresh', makeModel('fresh', { ...COMMAND, args: [note] }), { 'if-none-match': '*' }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 412, 412]);
  });

  const conditions: [Record<string, string>, number][] = [
    [{ 'if-match': '"ETAG"' }, 200],
    [{ 'if-match': '*' }, 200],
    [{ 'if-match': '"1", "ETAG"' }, 200],
    [{ 'if-match': 'W/"ETAG"' }, 412],
    [{ 'if-match': '"999999999"' }, 412],
    [{ 'if-match': '"0"' }, 412],
    [{ 'if-match': '"abc"' }, 412],
    [{ 'if-match': '"1", "2"' }, 412],
    [{ 'if-match': 'ETAG' }, 400],
    [{ 'if-match': '' }, 400],
    [{ 'if-none-match': '*' }, 412],
    [{ 'if-none-match': '"ETAG"' }, 400],
    [{ 'if-none-match': '*', 'if-match': '"ETAG"' }, 400],
  ];
  test.each(conditions)('%j gives %i', async (condition, status) => {
    const version = (await put('cond', makeModel('cond', COMMAND))).at('status', 'version');
    const headers = Object.fromEntries(
      Object.entries(condition).map(([name, value]) => [name, value.replace('ETAG', version)]),
    );
    expect((await put('cond', makeModel('cond', COMMAND), headers)).status).toBe(status);
  });

  test('If-Match: * does not make what is not there', async () => {
    const answer = await put('absent', makeModel('absent', COMMAND), { 'if-match': '*' });
    expect(answer.status).toBe(412);
    expect((await server.send({ path: modelPath('absent') })).status).toBe(404);
  });

  test('a delete with an old version removes nothing', async () => {
    const old = (await put('keep', makeModel('keep', COMMAND))).headers['etag'] ?? '';
    await put('keep', makeModel('keep', COMMAND, { scaling: { max: 2 } }));
    const path = modelPath('keep');
    const answer = await server.send({ method: 'DELETE', path, headers: { 'if-match': old } });
    expect(answer.status).toBe(412);
    expect((await server.send({ path })).status).toBe(200);
  });
});

describe('revisions and traffic', () => {
  beforeAll(async () => {
    await put('split', makeModel('split', COMMAND));
    await put('split', makeModel('split', { ...COMMAND, name: 'v2', args: ['other'] }));
    await settled('split');
  });

  function setTraffic(traffic: unknown, headers: Record<string, string> = {}): Promise<RawAnswer> {
    return server.send({
      method: 'PUT',
      path: modelPath('split', '/traffic'),
      headers: { ...JSON_TYPE, ...headers },
      body: JSON.stringify({ traffic }),
    });
  }

  test('the split is replaced as a whole, under If-Match', async () => {
    const before = await server.send({ path: modelPath('split', '/traffic') });
    expect(before.json()).toEqual({ traffic: [{ revision: 'v2', percent: 100 }] });
    const rows = [
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10, tag: 'canary' },
    ];
    const match = { 'if-match': before.headers['etag'] ?? '' };
    expect((await setTraffic(rows, match)).json()).toEqual({ traffic: rows });
    expect((await setTraffic([{ latest: true, percent: 100 }], match)).status).toBe(412);
    const read = await server.send({ path: modelPath('split') });
    expect(read.json()['status']).toMatchObject({
      traffic: rows,
      addresses: { tags: { canary: 'http://canary-split.default.localhost:8080/' } },
    });
  });

  test('a split that cannot be is refused and changes nothing', async () => {
    const before = (await server.send({ path: modelPath('split', '/traffic') })).text;
    for (const rows of [
      [{ revision: 'v1', percent: 99 }],
      [{ revision: 'v9', percent: 100 }],
      [{ percent: 100 }],
      [],
    ]) {
      expect((await setTraffic(rows)).status).toBe(422);
    }
    expect((await server.send({ path: modelPath('split', '/traffic') })).text).toBe(before);
  });

  test('a revision is shown, and removed only when nothing leads to it', async () => {
    await setTraffic([{ revision: 'v2', percent: 100 }]);
    const path = modelPath('split', '/revisions');
    const listed: { items: { name: string }[] } = JSON.parse((await server.send({ path })).text);
    expect(listed.items.map(({ name }) => name)).toEqual(['v1', 'v2']);
    const one = await server.send({ path: `${path}/v1` });
    expect(one.json()).toMatchObject({ name: 'v1', state: 'Ready', spec: { args: COMMAND.args } });
    expect((await server.send({ method: 'DELETE', path: `${path}/v2` })).status).toBe(409);
    const headers = { 'if-match': '"1"' };
    expect((await server.send({ method: 'DELETE', path: `${path}/v1`, headers })).status).toBe(412);
    const match = { 'if-match': one.headers['etag'] ?? '' };
    const gone = await server.send({ method: 'DELETE', path: `${path}/v1`, headers: match });
    expect(gone.status).toBe(204);
    expect((await server.send({ path: `${path}/v1` })).status).toBe(404);
  });

  test('usage of all models is read page by page', async () => {
    const minute = Math.floor(Date.now() / 60_000);
    const rows = ['a', 'b', 'c'].map((model) => ({
      namespace: 'paged',
      model,
      revision: 'v1',
      minute: minute - 1,
      arrivals: 1,
      coldArrivals: 0,
      busySeconds: 0,
      coldSeconds: 0,
      memoryByteSeconds: 7,
    }));
    await server.store.addUsage(rows);
    const read = async (query: string): Promise<{ items: unknown[]; next?: string }> => {
      const answer = await server.send({ path: `/api/v1/usage?namespace=paged&${query}` });
      return JSON.parse(answer.text);
    };
    const first = await read('limit=2');
    expect(first.items).toEqual(rows.slice(0, 2));
    const second = await read(`limit=2&after=${encodeURIComponent(first.next ?? '')}`);
    expect(second).toEqual({ items: rows.slice(2) });
    expect((await read(`from=0&to=${minute - 2}`)).items).toEqual([]);
    const wrong = await server.send({ path: '/api/v1/usage?after=somewhere' });
    expect([wrong.status, wrong.at('detail')]).toEqual([
      400,
      'after somewhere: expected next of a page',
    ]);
  });

  test('instances, logs and usage are there to read', async () => {
    await put('busy', makeModel('busy', COMMAND, { scaling: { min: 1 } }));
    await settled('busy');
    const { instances } = await server.useCases.getModel(ADMIN, 'default', 'busy');
    const [instance] = instances;
    for (const line of ['first', 'second', 'third']) {
      server.runtime.writeLog(instance?.id ?? '', line);
    }
    const shown = await server.send({ path: modelPath('busy', '/instances') });
    expect(JSON.parse(shown.text).items[0]).toMatchObject({ id: instance?.id, revision: 'v1' });
    expect(shown.text).not.toContain('address');
    const logs = await server.send({ path: modelPath('busy', '/logs?limit=2') });
    expect(JSON.parse(logs.text).items).toMatchObject([{ text: 'second' }, { text: 'third' }]);
    const usage = await server.send({ path: modelPath('busy', '/usage') });
    expect(JSON.parse(usage.text)).toEqual({ items: [] });
    expect((await server.send({ path: modelPath('busy', '/usage?from=0&to=99999') })).status).toBe(
      400,
    );
  });
});

describe('artifacts', () => {
  const OCTETS = { 'content-type': 'application/octet-stream' } as const;
  function pathOf(content: string): string {
    return `/api/v1/artifacts/sha256:${digestOf(content)}`;
  }

  test('content is stored once its digest is right', async () => {
    const content = 'weights '.repeat(100_000);
    const path = pathOf(content);
    expect((await server.send({ method: 'HEAD', path })).status).toBe(404);
    const put = { method: 'PUT', path: `${path}?name=model.onnx`, headers: OCTETS, body: content };
    const stored = await server.send(put);
    expect(stored.status).toBe(201);
    const expected = { digest: digestOf(content), size: 800_000, name: 'model.onnx', kind: 'file' };
    expect(stored.json()).toEqual(expected);
    const head = await server.send({ method: 'HEAD', path });
    expect([head.status, head.text]).toEqual([200, '']);
    expect((await server.send({ path })).json()).toEqual(expected);
  });

  test('content with another digest is not kept', async () => {
    const path = pathOf('promised');
    const call = { method: 'PUT', path: `${path}?name=x`, headers: OCTETS, body: 'delivered' };
    expect((await server.send(call)).status).toBe(422);
    expect((await server.send({ method: 'HEAD', path })).status).toBe(404);
  });

  test.each(['', '?name=', '?name=a/b', '?name=..', '?name=a&kind=pipe', '?name=a%00b'])(
    'the query %j is refused',
    async (query) => {
      const path = pathOf('x') + query;
      const call = { method: 'PUT', path, headers: OCTETS, body: 'x' };
      expect((await server.send(call)).status).toBe(422);
    },
  );

  test('an empty file is content, too', async () => {
    const call = { method: 'PUT', path: `${pathOf('')}?name=empty`, headers: OCTETS };
    expect((await server.send(call)).status).toBe(201);
  });
});

function makeDeep(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

function makeBomb(): string {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let index = 1; index < 10; index++) {
    const row = Array.from({ length: 9 }, () => `*a${index - 1}`).join(', ');
    lines.push(`a${index}: &a${index} [${row}]`);
  }
  return lines.join('\n');
}
