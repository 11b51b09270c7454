import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIXTURES, type ServerProcess, makeFolder, removeFolder, serve } from './process.ts';

/** Every bad request gets a 400 that names the tensor, what was found and what would be right. */

let folder: string;
let server: ServerProcess;
let texts: ServerProcess;
beforeAll(async () => {
  folder = await makeFolder();
  const env = { ROUSE_KIND: 'onnx', NODE_COMPILE_CACHE: join(folder, 'cache') };
  const open = (name: string) =>
    serve('node', folder, { ...env, ROUSE_SOURCE: join(FIXTURES, `${name}.onnx`) });
  server = await open('odd-shapes');
  texts = await open('identity-bytes');
});
afterAll(async () => {
  await Promise.all([server.stop(), texts.stop()]);
  await removeFolder(folder);
});

const x = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] };
const s = { name: 's', datatype: 'FP32', shape: [], data: [1] };
const v2 = (...inputs: unknown[]) => ({ inputs });

const rows: [string, unknown, RegExp][] = [
  ['no JSON', '{"inputs": [', /^the request is no JSON: /],
  ['an empty body', '', /^the request is no JSON: /],
  ['no object', '[1]', /^the request: found a list, expected \{"inputs"/],
  ['no inputs', {}, /^inputs: found nothing, expected a list of tensors/],
  ['inputs that are no list', { inputs: 'x' }, /^inputs: found "x", expected a list/],
  ['an input that is no object', v2(7), /^inputs\[0\]: found 7, expected \{"name"/],
  ['an input without a name', v2({ ...x, name: 1 }), /^inputs\[0\]: found an object, expected/],
  ['an input twice', v2(x, x, s), /^input "x" is given twice$/],
  [
    'an unknown input',
    v2(x, s, { ...s, name: 'z' }),
    /^input "z" is unknown, expected x FP32 \[-1,-1\], s FP32 \[\]$/,
  ],
  [
    'an unknown input with too few values, after one with a wrong shape',
    v2({ ...x, shape: [9, 9] }, { ...x, name: 'z', data: [] }),
    /^input "z" is unknown, expected x FP32/,
  ],
  ['a missing input', v2(x), /^input "s" is missing, expected x FP32 \[-1,-1\], s FP32 \[\]$/],
  ['no datatype', v2({ ...x, datatype: undefined }, s), /^input "x": found datatype nothing/],
  [
    'an unknown datatype',
    v2({ ...x, datatype: 'FP8' }, s),
    /found datatype "FP8", expected one of BOOL/,
  ],
  ['BF16', v2({ ...x, datatype: 'BF16' }, s), /^input "x": found datatype "BF16", expected one of/],
  [
    'another datatype',
    v2({ ...x, datatype: 'FP64' }, s),
    /^input "x": found datatype FP64, expected FP32$/,
  ],
  [
    'no shape',
    v2({ ...x, shape: undefined }, s),
    /^input "x": found shape nothing, expected a list/,
  ],
  [
    'a negative size',
    v2({ ...x, shape: [-1, 2] }, s),
    /found shape \[-1,2\], expected a list of sizes/,
  ],
  [
    'a size that is no integer',
    v2({ ...x, shape: [1.5, 2] }, s),
    /found shape \[1.5,2\], expected/,
  ],
  [
    'another rank',
    v2({ ...x, shape: [2] }, s),
    /^input "x": found shape \[2\], expected \[-1,-1\] \(-1 stands for any size\)$/,
  ],
  [
    'too few values',
    v2({ ...x, data: [1] }, s),
    /^input "x": found 1 values, expected 2 for shape \[1,2\]$/,
  ],
  ['too many values', v2({ ...x, data: [1, 2, 3] }, s), /found 3 values, expected 2/],
  [
    'a huge shape',
    v2({ ...x, shape: [1e9, 1e9] }, s),
    /found 2 values, expected 1000000000000000000/,
  ],
  ['no data', v2({ ...x, data: undefined }, s), /^input "x": found data nothing, expected a list/],
  [
    'a text for a number',
    v2({ ...x, data: [1, 'a'] }, s),
    /^input "x"\[1\]: found "a", expected FP32/,
  ],
  [
    'null for a number',
    v2({ ...x, data: [null, 2] }, s),
    /^input "x"\[0\]: found null, expected FP32/,
  ],
  [
    'a number too large',
    v2({ ...x, data: [1e39, 2] }, s),
    /found 1e\+39, expected a number that FP32 can hold/,
  ],
  [
    'ragged lists',
    v2({ ...x, shape: [2, 2], data: [[1, 2], [3]] }, s),
    /^input "x": found a list of 1 at nesting level 2, expected lists nested as shape \[2,2\]$/,
  ],
  ['lists nested too deep', v2({ ...x, data: [[[1], [2]]] }, s), /a list in the innermost list/],
  [
    'values beside lists',
    v2({ ...x, shape: [2, 1], data: [[1], 2] }, s),
    /found 2 at nesting level 1/,
  ],
  ['an id that is no text', { ...v2(x, s), id: 5 }, /^id: found 5, expected a string$/],
  [
    'an unknown output',
    { ...v2(x, s), outputs: [{ name: 'q' }] },
    /^output "q" is unknown, expected y FP32 \[-1,-1\], size INT64 \[2\]$/,
  ],
  [
    'outputs that are no list',
    { ...v2(x, s), outputs: {} },
    /^outputs: found an object, expected a list/,
  ],
  ['an output twice', { ...v2(x, s), outputs: [{ name: 'y' }, { name: 'y' }] }, /asked for twice/],
  [
    'binary_data that is no flag',
    { ...v2(x, s), outputs: [{ name: 'y', parameters: { binary_data: 1 } }] },
    /^output "y": found binary_data 1, expected true or false$/,
  ],
  [
    'binary data announced, none sent',
    v2({ ...x, data: undefined, parameters: { binary_data_size: 8 } }, s),
    /^input "x": found 0 bytes of binary data, expected binary_data_size 8$/,
  ],
  [
    'both data and binary data',
    v2({ ...x, parameters: { binary_data_size: 0 } }, s),
    /^input "x": found both data and binary_data_size/,
  ],
  [
    'a binary size that is no number',
    v2({ ...x, data: undefined, parameters: { binary_data_size: -1 } }, s),
    /found binary_data_size -1, expected a number of bytes/,
  ],
];

test.each(rows)('V2: %s', async (_name, body, message) => {
  const reply = await server.call('/v2/models/m/infer', body);
  expect(reply.status).toBe(400);
  expect(JSON.parse(reply.text)).toEqual({ error: expect.stringMatching(message) });
});

const v1Rows: [string, unknown, RegExp][] = [
  ['no JSON', 'x', /^the request is no JSON/],
  ['no instances', {}, /^instances: found nothing, expected \{"instances"/],
  ['no rows', { instances: [] }, /expected at least one row/],
  [
    'a row that is no object',
    { instances: [[1, 2]] },
    /^instances\[0\]: found a list, expected an object with x, s$/,
  ],
  [
    'a row without an input',
    { instances: [{ x: 1 }] },
    /^instances\[0\]: "s" is missing, expected/,
  ],
  [
    'a row with another',
    { instances: [{ x: [1], s: 1, q: 1 }] },
    /^instances\[0\]: "q" is unknown/,
  ],
  [
    'ragged rows',
    {
      instances: [
        { x: [1], s: 1 },
        { x: [1, 2], s: 1 },
      ],
    },
    /^input "x": found a list of 2/,
  ],
  [
    'a wrong rank',
    { instances: [{ x: 1, s: 1 }] },
    /^input "x": found shape \[1\], expected \[-1,-1\]/,
  ],
];

test.each(v1Rows)('V1: %s', async (_name, body, message) => {
  const reply = await server.call('/v1/models/m:predict', body);
  expect(reply.status).toBe(400);
  expect(JSON.parse(reply.text)).toEqual({ error: expect.stringMatching(message) });
});

const other: [string, string, unknown, Record<string, string>, number, RegExp][] = [
  ['a path that is not there', '/v3', undefined, {}, 404, /^no such path: \/v3$/],
  ['paths of the table itself', '/v1/models:predict', {}, {}, 404, /^no such path/],
  ['a wrong method', '/v2/models/m/infer', undefined, {}, 405, /^found GET, expected POST$/],
  ['a broken path', '/v2/models/%ff', undefined, {}, 400, /no valid percent-encoding/],
  [
    'a compressed body',
    '/v2/models/m/infer',
    'x',
    { 'content-encoding': 'gzip' },
    415,
    /found gzip/,
  ],
  [
    'a head longer than the body',
    '/v2/models/m/infer',
    '{}',
    { 'inference-header-content-length': '3' },
    400,
    /^Inference-Header-Content-Length: found "3", expected a number of bytes up to 2/,
  ],
  [
    'a head length that is no number',
    '/v2/models/m/infer',
    '{}',
    { 'inference-header-content-length': '1e1' },
    400,
    /found "1e1"/,
  ],
  [
    'binary data that nobody announced',
    '/v2/models/m/infer',
    `${JSON.stringify(v2(x, s))}????`,
    { 'inference-header-content-length': String(JSON.stringify(v2(x, s)).length) },
    400,
    /^found 4 bytes of binary data, expected 0/,
  ],
];

test.each(other)('%s', async (_name, path, body, headers, status, message) => {
  const reply = await server.call(path, body, headers);
  expect(reply.status).toBe(status);
  expect(JSON.parse(reply.text)).toEqual({ error: expect.stringMatching(message) });
});

test('a body over the limit is refused, announced or not, and the server goes on', async () => {
  const large = Buffer.alloc(64 * 2 ** 20 + 1, 0x20);
  const ways: Record<string, string>[] = [{}, { 'transfer-encoding': 'chunked' }];
  for (const headers of ways) {
    const reply = await server.call('/v2/models/m/infer', large, headers);
    expect(reply.status).toBe(413);
    expect(JSON.parse(reply.text).error).toMatch(/^the body is larger than 67108864 bytes$/);
  }
  expect((await server.call('/v2/models/m/infer', v2(x, s))).status).toBe(200);
});

describe('texts', () => {
  const text = (data: unknown) => v2({ name: 'x', datatype: 'BYTES', shape: [1], data });

  test('numbers, unpaired surrogates and NUL are refused', async () => {
    const bad: [unknown, RegExp][] = [
      [[1], /found 1, expected BYTES, a string/],
      [['\ud800'], /expected a string without unpaired surrogates/],
      [['a\0b'], /^input "x"\[0\]: found a NUL, expected text without$/],
    ];
    for (const [data, message] of bad) {
      const reply = await texts.call('/v2/models/m/infer', text(data));
      expect([reply.status, JSON.parse(reply.text).error]).toEqual([
        400,
        expect.stringMatching(message),
      ]);
    }
  });

  test('binary data that is cut off, or is no UTF-8, is refused', async () => {
    const bad: [number[], RegExp][] = [
      [[1, 0], /^input "x"\[0\]: the binary data ends inside this BYTES element/],
      [[9, 0, 0, 0, 65], /ends inside this BYTES element/],
      [[1, 0, 0, 0, 0xff], /^input "x"\[0\]: found bytes that are no UTF-8/],
      [[1, 0, 0, 0, 65, 1, 0, 0, 0, 66], /^input "x": found 2 BYTES elements, expected 1/],
      [[], /found 0 BYTES elements, expected 1/],
    ];
    for (const [bytes, message] of bad) {
      const parameters = { binary_data_size: bytes.length };
      const head = JSON.stringify(v2({ name: 'x', datatype: 'BYTES', shape: [1], parameters }));
      const body = Buffer.concat([Buffer.from(head), Buffer.from(bytes)]);
      const reply = await texts.call('/v2/models/m/infer', body, {
        'inference-header-content-length': String(head.length),
      });
      expect([reply.status, JSON.parse(reply.text).error]).toEqual([
        400,
        expect.stringMatching(message),
      ]);
    }
  });
});
