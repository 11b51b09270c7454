import { mkdir, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
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

let models = 0;

async function run(
  model: string | undefined,
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const source = join(folder, `model-${models++}`);
  await mkdir(source);
  if (model !== undefined) await writeFile(join(source, 'model.py'), model);
  const own = { ROUSE_SOURCE: source, ROUSE_REVISION: 'v3' };
  const server = await serve('python', folder, { ...own, ...env });
  started.push(server);
  return server;
}

const echo = `def predict(inputs):
    return inputs
`;

test('V2: every datatype goes in and out, integers beyond 2^53 exactly', async () => {
  const server = await run(echo);
  expect(server.ready).toEqual({
    load: expect.any(Number),
    metadata: { platform: 'rouse_python', inputs: [], outputs: [] },
  });
  const inputs = `[
    {"name": "a", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4.5]},
    {"name": "b", "datatype": "INT64", "shape": [1, 2], "data": [[9007199254740993, -9223372036854775808]]},
    {"name": "c", "datatype": "BYTES", "shape": [1], "data": ["é\\u0000😀"]},
    {"name": "d", "datatype": "BOOL", "shape": [], "data": [true]},
    {"name": "e", "datatype": "FP64", "shape": [3], "data": ["NaN", "-Infinity", 0.1]},
    {"name": "f", "datatype": "UINT8", "shape": [2, 0], "data": []}]`;
  const reply = await server.call('/v2/models/m/infer', `{"id": "7", "inputs": ${inputs}}`);
  expect(reply.text).toContain('[9007199254740993, -9223372036854775808]');
  expect(JSON.parse(reply.text)).toMatchObject({
    model_name: 'm',
    model_version: 'v3',
    id: '7',
    outputs: [
      { name: 'a', datatype: 'FP64', shape: [2, 2], data: [1, 2, 3, 4.5] },
      { name: 'b', datatype: 'INT64', shape: [1, 2] },
      { name: 'c', datatype: 'BYTES', shape: [1], data: ['é\0😀'] },
      { name: 'd', datatype: 'BOOL', shape: [1], data: [true] },
      { name: 'e', datatype: 'FP64', shape: [3], data: ['NaN', '-Infinity', 0.1] },
      { name: 'f', datatype: 'FP64', shape: [2, 0], data: [] },
    ],
  });
});

/** A V2 request whose inputs are binary tensors, and its answer's. */
async function callBinary(
  server: ServerProcess,
  inputs: readonly [name: string, datatype: string, shape: readonly number[], data: Buffer][],
  more: object = { parameters: { binary_data_output: true } },
) {
  const head = JSON.stringify({
    inputs: inputs.map(([name, datatype, shape, { length }]) => {
      return { name, datatype, shape, parameters: { binary_data_size: length } };
    }),
    ...more,
  });
  const body = Buffer.concat([Buffer.from(head), ...inputs.map(([, , , data]) => data)]);
  const length = String(Buffer.byteLength(head));
  const reply = await server.call('/v2/models/m/infer', body, {
    'inference-header-content-length': length,
  });
  const end = Number(reply.headers['inference-header-content-length'] ?? reply.body.length);
  return {
    reply,
    json: JSON.parse(reply.body.toString('utf8', 0, end)),
    tail: reply.body.subarray(end),
  };
}

test('V2: binary tensors of every datatype go in and out, bit for bit', async () => {
  const tensors: [string, string, number[], Buffer][] = [
    ['BOOL', 'BOOL', [2], Buffer.from([1, 0])],
    ['BYTES', 'BYTES', [2, 1], Buffer.from('\x02\0\0\0é\0\0\0\0')],
    ['FP16', 'FP16', [2], Buffer.from(Uint16Array.of(0x3c00, 0x8000).buffer)],
    ['FP32', 'FP32', [1, 3], Buffer.from(Float32Array.of(0.1, -0, Infinity).buffer)],
    ['FP64', 'FP64', [2], Buffer.from(Float64Array.of(0.1, -0).buffer)],
    ['INT16', 'INT16', [2], Buffer.from(Int16Array.of(-1, 300).buffer)],
    ['INT32', 'INT32', [1], Buffer.from(Int32Array.of(-(2 ** 31)).buffer)],
    ['INT64', 'INT64', [2], Buffer.from(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n).buffer)],
    ['INT8', 'INT8', [1], Buffer.from([0x80])],
    ['UINT16', 'UINT16', [0], Buffer.alloc(0)],
    ['UINT32', 'UINT32', [1], Buffer.from(Uint32Array.of(2 ** 32 - 1).buffer)],
    ['UINT64', 'UINT64', [1], Buffer.from(BigUint64Array.of(2n ** 64n - 1n).buffer)],
    ['UINT8', 'UINT8', [3], Buffer.from([0, 7, 255])],
  ];
  const declared = JSON.stringify(
    tensors.map(([name, datatype, shape]) => ({ name, datatype, shape: shape.map(() => -1) })),
  );
  const server = await run(`inputs = outputs = ${declared}\n${echo}`);
  const all = await callBinary(server, tensors);
  expect(all.json.outputs).toEqual(
    tensors.map(([name, datatype, shape, { length }]) => {
      return { name, datatype, shape, parameters: { binary_data_size: length } };
    }),
  );
  expect(all.tail).toEqual(Buffer.concat(tensors.map(([, , , data]) => data)));
  const some = await callBinary(server, tensors, {
    outputs: [{ name: 'INT8' }, { name: 'UINT8', parameters: { binary_data: true } }],
  });
  expect(some.json.outputs).toMatchObject([
    { data: [-128] },
    { parameters: { binary_data_size: 3 } },
  ]);
  expect(some.tail).toEqual(Buffer.from([0, 7, 255]));
  expect(JSON.parse((await server.call('/v2')).text).extensions).toEqual(['binary_tensor_data']);
});

test.each([
  ['too few bytes', 'FP32', [2], Buffer.alloc(4), /found 4 bytes, expected 8 for 2 × FP32/],
  ['a byte that is no BOOL', 'BOOL', [1], Buffer.from([2]), /found byte 2/],
  ['a cut element', 'BYTES', [1], Buffer.from('\x05\0\0\0ab'), /ends inside this BYTES/],
  ['too many elements', 'BYTES', [1], Buffer.alloc(8), /found 2 BYTES elements, expected 1/],
  ['no UTF-8', 'BYTES', [1], Buffer.from([1, 0, 0, 0, 0xff]), /no UTF-8/],
])('V2: binary data with %s is refused', async (_, datatype, shape, data, message) => {
  const server = await run(echo);
  const { reply, json } = await callBinary(server, [['x', datatype, shape, data]]);
  expect(reply.status).toBe(400);
  expect(json.error).toMatch(message);
  const more = await callBinary(server, [], { inputs: [], parameters: { binary_data_output: 1 } });
  expect(more.json.error).toMatch(/found binary_data_output 1, expected true or false/);
  const excess = await server.call('/v2/models/m/infer', '{"inputs": []}x', {
    'inference-header-content-length': '14',
  });
  expect(excess.text).toMatch(/found 1 bytes of binary data, expected 0/);
  const beyond = await server.call('/v2/models/m/infer', '{}', {
    'inference-header-content-length': '3',
  });
  expect(beyond.text).toMatch(/at most 2/);
});

test('V1: rows as they are, by name, several outputs as objects', async () => {
  const server = await run(echo);
  const cases: [unknown[], unknown[]][] = [
    [
      [1, 'a', [2]],
      [1, 'a', [2]],
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

test('load runs first; arrays with a dtype keep it; only the outputs asked for come', async () => {
  const server = await run(`
class Array:
    dtype = "float32"
    def tolist(self):
        return [[1.0], [2.0]]

state = {}

def load():
    state["loaded"] = True

def predict(inputs):
    return {"loaded": state["loaded"], "array": Array()}
`);
  const reply = await server.call('/v2/models/m/infer', {
    inputs: [],
    outputs: [{ name: 'array' }],
  });
  expect(JSON.parse(reply.text).outputs).toEqual([
    { name: 'array', datatype: 'FP32', shape: [2, 1], data: [1, 2] },
  ]);
  const whole = await server.call('/v2/models/m/infer', { inputs: [] });
  expect(JSON.parse(whole.text).outputs[0].data).toEqual([true]);
});

test('requests run at the same time', async () => {
  const server = await run(`
import threading
barrier = threading.Barrier(4)

def predict(inputs):
    barrier.wait()
    return [True]
`);
  const replies = await Promise.all(
    [1, 2, 3, 4].map(() => server.call('/v2/models/m/infer', { inputs: [] })),
  );
  expect(replies.map((reply) => reply.status)).toEqual([200, 200, 200, 200]);
});

test('metadata, health and names that need decoding', async () => {
  const server = await run(`
inputs = ({"name": "text", "datatype": "BYTES", "shape": (-1,), "note": "dropped"},)
${echo}`);
  expect(server.ready).toMatchObject({
    metadata: {
      platform: 'rouse_python',
      inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
      outputs: [],
    },
  });
  expect(JSON.parse((await server.call('/v2/models/a%20b')).text)).toEqual({
    name: 'a b',
    versions: ['v3'],
    platform: 'rouse_python',
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
    outputs: [],
  });
  for (const path of [
    '/v2',
    '/v2/health/live',
    '/v2/health/ready',
    '/v2/models/m/versions/1/ready',
    '/v1/models/m',
  ]) {
    expect((await server.call(path)).status, path).toBe(200);
  }
});

describe('bad requests', () => {
  const x = { name: 'x', datatype: 'INT8', shape: [2], data: [1, 2] };
  const v2 = (...inputs: unknown[]) => ({ inputs });
  const rows: [string, unknown, RegExp][] = [
    ['no JSON', '{', /^the request is no JSON/],
    ['NaN, which is no JSON', '{"inputs": NaN}', /found NaN, which JSON has not/],
    ['no object', '[]', /^expected an object such as/],
    ['no inputs', {}, /^inputs: expected a list of tensors/],
    ['no name', v2({}), /^inputs\[0\]: expected/],
    ['twice', v2(x, x), /^input "x" is given twice/],
    [
      'an unknown datatype',
      v2({ ...x, datatype: 'BF16' }),
      /found datatype 'BF16', expected one of BOOL/,
    ],
    ['a bad shape', v2({ ...x, shape: [-1] }), /found shape \[-1\], expected a list of sizes/],
    ['no data', v2({ ...x, data: 1 }), /expected data, a list of values/],
    ['too few values', v2({ ...x, data: [1] }), /found 1 values, expected 2/],
    [
      'ragged lists',
      v2({ ...x, shape: [2, 2], data: [[1, 2], [3]] }),
      /found a list of 1 at nesting level 2/,
    ],
    ['a value out of range', v2({ ...x, data: [1, 128] }), /found 128, expected INT8/],
    ['a boolean for an integer', v2({ ...x, data: [1, true] }), /found True, expected INT8/],
    ['another name', v2({ ...x, name: 'y' }), /^input "y" is unknown, expected x$/],
    [
      'another name and too few values',
      v2({ ...x, name: 'y', data: [] }),
      /^input "y" is unknown, expected x$/,
    ],
    ['a missing input', v2(), /^input "x" is missing, expected x$/],
    ['another shape', v2({ ...x, shape: [1], data: [1] }), /found INT8 \[1\], expected INT8 \[2\]/],
    [
      'an unknown output',
      { ...v2(x), outputs: [{ name: 'q' }] },
      /^output "q" is unknown, expected one of x$/,
    ],
    ['bad outputs', { ...v2(x), outputs: [1] }, /^outputs: expected a list/],
  ];
  let server: ServerProcess;
  beforeAll(async () => {
    server = await run(`inputs = [{"name": "x", "datatype": "INT8", "shape": [2]}]\n${echo}`);
    started.pop();
  });
  afterAll(() => server.stop());

  test.each(rows)('V2: %s', async (_name, body, message) => {
    const reply = await server.call('/v2/models/m/infer', body);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      400,
      { error: expect.stringMatching(message) },
    ]);
  });

  const v1Rows: [string, unknown, RegExp][] = [
    ['no rows', { instances: [] }, /^instances: expected a list/],
    ['no object', 5, /^instances: expected a list/],
    [
      'other names',
      { instances: [{ x: 1 }, { y: 1 }] },
      /^instances\[1\]: expected an object with x/,
    ],
  ];
  test.each(v1Rows)('V1: %s', async (_name, body, message) => {
    const reply = await server.call('/v1/models/m:predict', body);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([
      400,
      { error: expect.stringMatching(message) },
    ]);
  });

  test('paths, methods, encodings, large bodies', async () => {
    expect((await server.call('/v3')).status).toBe(404);
    expect((await server.call('/v2/models/m/infer')).status).toBe(405);
    const gzip = await server.call('/v2/models/m/infer', 'x', { 'content-encoding': 'gzip' });
    expect(gzip.status).toBe(415);
    for (const head of [
      'content-length: 67108865\r\n\r\n',
      'transfer-encoding: chunked\r\n\r\n4000001\r\n',
    ]) {
      const connection = createConnection(server.socketPath);
      connection.write(`POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\n${head}`);
      expect(await text(connection)).toMatch(/^HTTP\/1.1 413 [^]*larger than 67108864 bytes/);
    }
    expect((await server.call('/v2/health/ready')).status).toBe(200);
  });
});

describe('mistakes of the model', () => {
  test('an exception is 500 without its words, the traceback is in the log', async () => {
    const server = await run(`def predict(inputs):
    raise RuntimeError("password is hunter2")
`);
    const reply = await server.call('/v2/models/m/infer', { inputs: [] });
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([
      500,
      'the model failed; its log says why',
    ]);
    await until('the error in the log', () => /Traceback[^]*hunter2/.test(server.output()));
  });

  test('where its owner asks, the first line of an exception is told', async () => {
    const server = await run(
      `def predict(inputs):
    error = KeyError("x" * 1000) if inputs["instances"][0] else ValueError("no label\\nin row 7")
    error.__notes__ = ["a note behind it"]
    raise error
`,
      { ROUSE_TELL_FAILURES: '1' },
    );
    const short = await server.call('/v1/models/m:predict', { instances: [0] });
    expect([short.status, JSON.parse(short.text).error]).toEqual([
      500,
      'the model failed: ValueError: no label',
    ]);
    const long = await server.call('/v1/models/m:predict', { instances: [1] });
    expect(JSON.parse(long.text).error).toMatch(/^the model failed: KeyError: 'x{289}$/);
    await until('the error in the log', () => /Traceback[^]*in row 7/.test(server.output()));
  });

  test('with a status from 400 to 499 it is the caller who is told', async () => {
    const server = await run(`def predict(inputs):
    error = ValueError("expected texts")
    error.status = 422
    raise error
`);
    const reply = await server.call('/v1/models/m:predict', { instances: [1] });
    expect([reply.status, JSON.parse(reply.text).error]).toEqual([400, 'expected texts']);
  });

  test.each([
    ['objects', '[{}]', /holds dict/],
    ['mixed kinds', '[1, "a"]', /holds int and str/],
    ['ragged rows', '[[1, 2], [3]]', /differ in length/],
    ['nothing', 'None', /holds NoneType/],
  ])('a result that is no tensor is 500: %s', async (_name, value, message) => {
    const server = await run(`def predict(inputs):\n    return {"y": ${value}}\n`);
    expect((await server.call('/v2/models/m/infer', { inputs: [] })).status).toBe(500);
    await until('the message in the log', () => message.test(server.output()));
  });

  const unfit: [string, string | undefined, RegExp][] = [
    ['no model.py', undefined, /^there is no model\.py in the folder$/],
    ['no predict', 'x = 1', /^model\.py has no function predict\(inputs\)$/],
    ['a syntax error', 'def predict(:', /^model\.py cannot be imported: SyntaxError: /],
    [
      'a missing package',
      'import no_such_package',
      /ModuleNotFoundError: No module named 'no_such_package'/,
    ],
    ['an exit', 'import sys\nsys.exit("gone")', /^model\.py cannot be imported: SystemExit: gone/],
    ['inputs that are no list', `inputs = 5\n${echo}`, /^inputs: found 5, expected a list/],
    [
      'an input without a shape',
      `inputs = [{"name": "a", "datatype": "FP32"}]\n${echo}`,
      /^inputs\[0\]: found \{.*\}, expected a tensor, as \{/,
    ],
    [
      'a label that JSON has not',
      `outputs = [{"name": "a", "datatype": "FP32", "shape": [1], "labels": [float("nan")]}]\n${echo}`,
      /^outputs\[0\]: found /,
    ],
    ['load that fails', `def load():\n    1 / 0\n${echo}`, /^load\(\) failed: ZeroDivisionError/],
  ];
  test.each(unfit)('cannot be served: %s', async (_name, model, message) => {
    const server = await run(model);
    expect(server.ready).toEqual({ error: expect.stringMatching(message) });
    expect(await server.ended()).toEqual([1, null]);
  });
});
