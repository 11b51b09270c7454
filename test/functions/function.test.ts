import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { type ServerProcess, makeFolder, removeFolder, serve } from './process.ts';

let folder: string;
const started: ServerProcess[] = [];
beforeAll(async () => {
  folder = await makeFolder();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});
afterAll(async () => removeFolder(folder));

let modules = 0;

/** A server with this module as its source. */
async function run(
  source: string,
  name = 'ts',
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const path = join(folder, `module-${modules++}.${name}`);
  await writeFile(path, source);
  return open(path, env);
}

async function open(
  path: string,
  more: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const env = { ROUSE_KIND: 'function', NODE_COMPILE_CACHE: join(folder, 'cache') };
  const server = await serve('node', folder, { ...env, ...more, ROUSE_SOURCE: path });
  started.push(server);
  return server;
}

describe('a fetch handler', () => {
  test('gets the request and gives the response, in TypeScript and JavaScript', async () => {
    const typescript = `export default async (request: Request): Promise<Response> => {
      const url = new URL(request.url);
      const body = await request.text();
      return new Response(request.method + ' ' + url.pathname + url.search + ' ' + body, {
        status: 201, headers: { 'x-a': request.headers.get('x-b') ?? '' } });
    };`;
    const javascript = typescript.replace(': Request', '').replace(': Promise<Response>', '');
    for (const server of [await run(typescript), await run(javascript, 'js')]) {
      expect(server.ready).toEqual({ load: expect.any(Number) });
      const reply = await server.call('/any/path?q=1', 'body', { 'x-b': 'c' });
      expect([reply.status, reply.text]).toEqual([201, 'POST /any/path?q=1 body']);
      expect(reply.headers['x-a']).toBe('c');
    }
  });

  test('in CommonJS, and in a folder with an index', async () => {
    const common = await run(`module.exports = () => new Response('common');`, 'cjs');
    expect((await common.call('/')).text).toBe('common');
    const inner = join(folder, 'inner');
    await mkdir(inner);
    await writeFile(join(inner, 'index.ts'), `export { answer as default } from './answer.ts';`);
    await writeFile(join(inner, 'answer.ts'), `export const answer = () => new Response('inner');`);
    expect((await (await open(inner)).call('/')).text).toBe('inner');
  });

  test('streams: the first part arrives before the second is made', async () => {
    const server = await run(`
      let release: () => void;
      const released = new Promise<void>((resolve) => { release = resolve; });
      export default (request: Request): Response => {
        if (request.url.endsWith('/release')) { release(); return new Response('ok'); }
        async function* parts() { yield 'data: one\\n\\n'; await released; yield 'data: two\\n\\n'; }
        return new Response(ReadableStream.from(parts()).pipeThrough(new TextEncoderStream()), {
          headers: { 'content-type': 'text/event-stream' } });
      };`);
    const seen: string[] = [];
    const done = new Promise<void>((resolve, reject) => {
      request({ socketPath: server.socketPath, path: '/' }, (response) => {
        response.setEncoding('utf8').on('data', (part: string) => seen.push(part));
        response.once('end', resolve).once('error', reject);
      })
        .once('error', reject)
        .end();
    });
    await until('the head of the answer', () => seen.length > 0);
    expect(seen.join('')).toBe('data: one\n\n');
    await server.call('/release');
    await done;
    expect(seen.join('')).toBe('data: one\n\ndata: two\n\n');
  });

  test('request bodies stream in', async () => {
    const server = await run(`
      let first = '';
      export default async (request: Request): Promise<Response> => {
        if (request.method === 'GET') return new Response(first);
        let all = '';
        for await (const part of request.body!.pipeThrough(new TextDecoderStream())) {
          all += part; first ||= part;
        }
        return new Response(all);
      };`);
    let answer = '';
    const done = new Promise<void>((resolve, reject) => {
      const sent = request({ socketPath: server.socketPath, method: 'POST' }, (response) => {
        response.setEncoding('utf8').on('data', (part: string) => (answer += part));
        response.once('end', resolve);
      });
      sent.once('error', reject);
      sent.write('one');
      void until(
        'the first part has come',
        async () => (await server.call('/')).text === 'one',
      ).then(() => sent.end('two'));
    });
    await done;
    expect(answer).toBe('onetwo');
  });

  test('a caller who leaves aborts the signal', async () => {
    const server = await run(`
      let state = 'idle';
      export default async (request: Request): Promise<Response> => {
        if (request.url.endsWith('/state')) return new Response(state);
        state = 'running';
        await new Promise<void>((resolve) => {
          request.signal.addEventListener('abort', () => { state = 'aborted'; resolve(); });
        });
        return new Response('nobody reads this');
      };`);
    const sent = request({ socketPath: server.socketPath, path: '/' });
    sent.once('error', () => undefined).end();
    await until('it runs', async () => (await server.call('/state')).text === 'running');
    sent.destroy();
    await until('it is aborted', async () => (await server.call('/state')).text === 'aborted');
    expect((await server.call('/state')).text).toBe('aborted');
  });

  test('the connection of a caller who leaves is closed when its handler has ended, told or not', async () => {
    const server = await run(`
      const released = Promise.withResolvers();
      let state = 'idle';
      export default async (request: Request): Promise<Response> => {
        if (request.url.endsWith('/state')) return new Response(state);
        if (request.url.endsWith('/release')) released.resolve();
        else {
          state = 'running';
          request.signal.addEventListener('abort', () => { state = 'told'; });
          await released.promise;
        }
        return new Response('nobody reads this');
      };`);
    const state = async () => (await server.call('/state')).text;
    const leaver = connect({ path: server.socketPath, allowHalfOpen: true });
    let isOver = false;
    leaver.once('end', () => (isOver = true)).resume();
    leaver.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
    await until('it runs', async () => (await state()) === 'running');
    leaver.end();
    await until('it is told', async () => (await state()) === 'told');
    expect(isOver, 'it runs on').toBe(false);
    await server.call('/release');
    await until('it has ended', () => isOver);
  });

  test('a handler that throws: 500 without the reason, which is in the log', async () => {
    const server = await run(
      `export default async () => { throw new Error('password is hunter2'); };`,
    );
    const reply = await server.call('/');
    expect(reply.status).toBe(500);
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(reply.text)).toMatchObject({ status: 500, code: 'internal' });
    expect(reply.text).not.toContain('hunter2');
    await until('the error in the log', () => server.output().includes('hunter2'));
    expect((await server.call('/')).status).toBe(500);
  });

  test('a handler that returns no Response: 500, and the log says what it was', async () => {
    const server = await run(`export default () => ({ not: 'a response' });`);
    expect((await server.call('/')).status).toBe(500);
    await until('the error in the log', () =>
      server.output().includes("{ not: 'a response' } and no Response"),
    );
  });

  test('an unhandled rejection is logged and ends nothing', async () => {
    const server = await run(`export default () => {
      Promise.reject(new Error('forgotten'));
      return new Response('fine');
    };`);
    expect((await server.call('/')).text).toBe('fine');
    await until('the error in the log', () =>
      server.output().includes('unhandled rejection: Error: forgotten'),
    );
    expect((await server.call('/')).text).toBe('fine');
  });

  test('an uncaught exception ends the process with status 1, the stack in the log', async () => {
    const server = await run(`export default () => {
      setImmediate(() => { throw new Error('out of nowhere'); });
      return new Promise(() => {});
    };`);
    await expect(server.call('/')).rejects.toThrow();
    expect(await server.ended()).toEqual([1, null]);
    expect(server.output()).toContain('out of nowhere');
  });

  test('health is answered by the server itself', async () => {
    const server = await run(`export default () => new Response('mine');`);
    expect((await server.call('/v2/health/ready')).text).toBe('{"ready":true}');
    expect((await server.call('/v2/health/live')).text).toBe('{"live":true}');
    expect((await server.call('/v2')).text).toBe('mine');
  });
});

describe('a module that cannot be served says why, and the process ends with status 1', () => {
  const bad: [string, string, RegExp][] = [
    [
      'no default export',
      `export const a = 1;`,
      /found nothing, expected a default export that is/,
    ],
    ['a number', `export default 5;`, /found 5, expected a default export/],
    ['no predict', `export default { load() {}, a: 1 };`, /found an object with load, a, expected/],
    ['a syntax error', `let a;\nexport default (`, /^[\w-]+\.ts:2 cannot be imported: /],
    ['an enum', `enum A { B } export default () => A.B;`, /cannot be imported: .*enum/i],
    ['a throw', `\nthrow new Error('at import');`, /^[\w-]+\.ts:2 cannot be imported: at import/],
    ['a missing import', `import 'no-such-package';`, /cannot be imported: .*no-such-package/],
    [
      'load that fails',
      `export default { load() { throw new Error('no weights'); }, predict() {} };`,
      /^load\(\) failed: no weights/,
    ],
    [
      'bad metadata',
      `export default { inputs: [{ name: 'a' }], predict() {} };`,
      /^inputs\[0\]: found an object, expected a tensor/,
    ],
    [
      'labels that are no list',
      `export default { outputs: [{ name: 'a', datatype: 'FP32', shape: [1], labels: 'b' }], predict() {} };`,
      /^outputs\[0\]: found an object, expected a tensor/,
    ],
  ];
  test.each(bad)('%s', async (_name, source, message) => {
    const server = await run(source);
    expect(server.ready).toEqual({ error: expect.stringMatching(message) });
    expect(await server.ended()).toEqual([1, null]);
  });

  test('a missing file', async () => {
    const server = await open(join(folder, 'none.ts'));
    expect(server.ready).toEqual({ error: 'none.ts: no such file or folder' });
    await until('the log ends', () => server.output().endsWith('\n'));
    expect(server.output()).toBe('none.ts: no such file or folder\n');
  });

  test('the log has the stack of what was written, and nothing of how errors are classed', async () => {
    const server = await run(
      `export default { load() { throw new Error('no weights'); }, predict() {} };`,
    );
    await until('the stack is in the log', () => /at .*load/.test(server.output()));
    expect(server.output()).toMatch(/^load\(\) failed: no weights\nError: no weights\n +at .*load/);
    expect(server.output()).not.toMatch(/Fault|problems|retryAfter|code:/);
  });
});

describe('load and predict', () => {
  const echo = `export default { predict: (inputs: object) => inputs };`;

  test('load runs before the first request, once', async () => {
    const server = await run(`
      let loads = 0;
      export default {
        async load() { await null; loads++; },
        predict: () => ({ loads: [loads] }),
      };`);
    for (const _ of [1, 2]) {
      const reply = await server.call('/v2/models/m/infer', { inputs: [] });
      expect(JSON.parse(reply.text).outputs).toEqual([
        { name: 'loads', datatype: 'FP64', shape: [1], data: [1] },
      ]);
    }
  });

  test('V2 tensors are nested lists by name, both ways', async () => {
    const server = await run(`export default { predict: (inputs: object) => ({
      seen: JSON.stringify(inputs, (_, value) => typeof value === 'bigint' ? value + 'n' : value),
      ...inputs }) };`);
    const body = `{"inputs": [
      {"name": "a", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4.5]},
      {"name": "b", "datatype": "INT64", "shape": [2], "data": [1, 9007199254740993]},
      {"name": "c", "datatype": "BYTES", "shape": [1], "data": ["é"]},
      {"name": "d", "datatype": "BOOL", "shape": [], "data": [true]},
      {"name": "e", "datatype": "FP16", "shape": [2], "data": ["NaN", 0.5]}]}`;
    const reply = await server.call('/v2/models/m/infer', body);
    expect(reply.text).toContain('"data":[1,9007199254740993]');
    expect(JSON.parse(reply.text).outputs).toEqual([
      {
        name: 'seen',
        datatype: 'BYTES',
        shape: [1],
        data: [
          '{"a":[[1,2],[3,4.5]],"b":[1,"9007199254740993n"],"c":["é"],"d":true,"e":[null,0.5]}',
        ],
      },
      { name: 'a', datatype: 'FP64', shape: [2, 2], data: [1, 2, 3, 4.5] },
      { name: 'b', datatype: 'INT64', shape: [2], data: [1, 9007199254740992] },
      { name: 'c', datatype: 'BYTES', shape: [1], data: ['é'] },
      { name: 'd', datatype: 'BOOL', shape: [1], data: [true] },
      { name: 'e', datatype: 'FP64', shape: [2], data: ['NaN', 0.5] },
    ]);
  });

  test('binary tensors are taken and given', async () => {
    const server = await run(`export default { predict: ({ x }: { x: number[] }) =>
      ({ y: Float32Array.from(x, (value) => value * 2) }) };`);
    const tail = Buffer.from(Float32Array.of(1.5, -2).buffer);
    const head = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } }],
      parameters: { binary_data_output: true },
    });
    const reply = await server.call(
      '/v2/models/m/infer',
      Buffer.concat([Buffer.from(head), tail]),
      {
        'inference-header-content-length': String(head.length),
      },
    );
    const length = Number(reply.headers['inference-header-content-length']);
    expect(reply.body.subarray(length)).toEqual(Buffer.from(Float32Array.of(3, -4).buffer));
  });

  test('V1: rows as they are, or by name', async () => {
    const server = await run(echo);
    const cases: [unknown[], unknown[]][] = [
      [
        [1, 'a', { b: 2 }],
        [1, 'a', { b: 2 }],
      ],
      [
        [{ a: 1 }, { a: 2 }],
        [1, 2],
      ],
      [[{ a: 1, b: [2] }], [{ a: 1, b: [2] }]],
    ];
    for (const [instances, predictions] of cases) {
      const reply = await server.call('/v1/models/m:predict', { instances });
      expect(JSON.parse(reply.text)).toEqual({ predictions });
    }
  });

  test('what is declared is checked and shown', async () => {
    const server = await run(`export default {
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      outputs: [{ name: 'size', datatype: 'INT32', shape: [-1] }],
      predict: ({ text }: { text: string[] }) => text.map((one) => one.length) };`);
    expect(server.ready).toEqual({
      load: expect.any(Number),
      metadata: {
        platform: 'rouse_function',
        inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
        outputs: [{ name: 'size', datatype: 'INT32', shape: [-1] }],
      },
    });
    const tensor = { name: 'text', datatype: 'BYTES', shape: [2], data: ['a', 'bc'] };
    const good = await server.call('/v2/models/m/infer', { inputs: [tensor] });
    expect(JSON.parse(good.text).outputs).toEqual([
      { name: 'size', datatype: 'INT32', shape: [2], data: [1, 2] },
    ]);
    const rows = await server.call('/v1/models/m:predict', { instances: ['abc'] });
    expect(JSON.parse(rows.text)).toEqual({ predictions: [3] });
    const metadata = JSON.parse((await server.call('/v2/models/m')).text);
    expect(metadata).toMatchObject({
      platform: 'rouse_function',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    });
    const bad = await server.call('/v2/models/m/infer', { inputs: [{ ...tensor, name: 'x' }] });
    expect([bad.status, JSON.parse(bad.text).error]).toEqual([
      400,
      'input "x" is unknown, expected text BYTES [-1]',
    ]);
  });

  test('a mistake of the model is 500 without its words; of the caller, with a status, 400 with them', async () => {
    const server = await run(`export default { predict({ a }: { a: unknown }) {
      if (a) throw Object.assign(new Error('a must be empty'), { status: 422 });
      throw new Error('password is hunter2');
    } };`);
    const mine = await server.call('/v2/models/m/infer', { inputs: [] });
    expect([mine.status, JSON.parse(mine.text).error]).toEqual([
      500,
      'the model failed; its log says why',
    ]);
    await until('the error in the log', () => server.output().includes('hunter2'));
    const yours = await server.call('/v1/models/m:predict', { instances: [{ a: 1 }] });
    expect([yours.status, JSON.parse(yours.text).error]).toEqual([400, 'a must be empty']);
  });

  test('where its owner asks, the first line of a mistake is told', async () => {
    const model = `export default { predict() { throw new RangeError('row 7\\nis odd'); } };`;
    const server = await run(model, 'ts', { ROUSE_TELL_FAILURES: '1' });
    const reply = await server.call('/v2/models/m/infer', { inputs: [] });
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([
      500,
      'the model failed: RangeError: row 7',
    ]);
    await until('the error in the log', () => server.output().includes('is odd'));
  });

  const wrong: [string, string, RegExp][] = [
    ['ragged rows', `[[1, 2], [3]]`, /^the model's output "y": found a list of 1/],
    ['mixed kinds', `[1, 'a']`, /^the model's output "y": found number and string, expected/],
    ['objects', `[{}]`, /^the model's output "y": found an object, expected numbers/],
    ['nothing', `undefined`, /^the model's output "y": found nothing, expected numbers/],
  ];
  test.each(wrong)('a result that is no tensor is 500: %s', async (_name, value, message) => {
    const server = await run(`export default { predict: () => ({ y: ${value} }) };`);
    const reply = await server.call('/v2/models/m/infer', { inputs: [] });
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([
      500,
      expect.stringMatching(message),
    ]);
  });

  test('V1 with another number of predictions than instances is 500', async () => {
    const server = await run(`export default { predict: () => ({ y: [1] }) };`);
    const reply = await server.call('/v1/models/m:predict', { instances: [1, 2] });
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([
      500,
      'predict returned 1 values as "y", expected a value for each of 2 instances',
    ]);
  });
});
