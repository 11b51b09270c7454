import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIXTURES, ROOT, inspect, makeFolder, removeFolder } from './process.ts';

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(async () => removeFolder(folder));

async function look(source: string, kind = 'onnx') {
  return inspect({
    ROUSE_KIND: kind,
    ROUSE_SOURCE: source,
    ROUSE_OUTPUT: folder,
    NODE_COMPILE_CACHE: join(folder, 'cache'),
  });
}

/** A file made for the occasion. */
async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

describe('an ONNX file', () => {
  test('says its inputs, outputs and metadata', async () => {
    const line = await look(join(ROOT, 'functions/samples/digits/v2.onnx'));
    expect(line).toEqual({
      inspection: {
        platform: 'onnx_onnxruntime',
        inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 64] }],
        outputs: [
          { name: 'label', datatype: 'INT64', shape: [-1] },
          { name: 'probabilities', datatype: 'FP32', shape: [-1, 10] },
        ],
        properties: expect.objectContaining({
          accuracy: '0.9852',
          'onnx.producer': 'skl2onnx 1.20.0',
        }),
      },
    });
  });

  test('has its ZipMap taken out, under the same name, and the source is left alone', async () => {
    const source = join(FIXTURES, 'zipmap-string.onnx');
    const before = await readFile(source);
    const line = await look(source);
    if (!('served' in line) || !line.served) throw new Error(JSON.stringify(line));
    expect(line.inspection.outputs).toEqual([
      { name: 'output_label', datatype: 'BYTES', shape: [-1] },
      {
        name: 'output_probability',
        datatype: 'FP32',
        shape: [-1, 3],
        labels: ['setosa', 'versicolor', 'virginica'],
      },
    ]);
    expect(await readFile(source)).toEqual(before);
    // What was made needs no more change and says the same but for the labels, which metadata keeps.
    const again = await look(line.served);
    expect(again).not.toHaveProperty('served');
    expect(again).toMatchObject({ inspection: { inputs: line.inspection.inputs } });
  });

  test('class labels beyond 2^53 stay exact', async () => {
    const line = await look(join(FIXTURES, 'zipmap-only-ml.onnx'));
    expect(line).toMatchObject({
      inspection: { outputs: [{}, { name: 'maps', labels: [7, '9007199254740993'] }] },
    });
  });
});

describe('is refused, with the reason', () => {
  const fixtures: [string, RegExp][] = [
    ['refused-maps', /output "y" is a sequence of map\(int64, tensor of float\)/],
    ['refused-sequence', /output "probabilities" is a sequence of tensor of float/],
    ['refused-tensor-sequence', /output "y" is a sequence of tensor of float/],
    ['refused-sequence-input', /input "x" is a sequence of tensor of float/],
    ['refused-map-input', /input "x" is a map\(string, tensor of float\)/],
    ['refused-optional', /output "y" is an optional tensor of float/],
    ['refused-bf16', /input "x" is a tensor of bfloat16 \(BF16\).*output "y" is.*tensors of BOOL/],
    ['refused-external', /keeps weights in another file \(weights\.bin\)/],
    ['refused-operator', /onnxruntime cannot load the model: .*Nonsense/],
  ];
  test.each(fixtures)('%s', async (name, reason) => {
    expect(await look(join(FIXTURES, `${name}.onnx`))).toEqual({
      error: expect.stringMatching(reason),
    });
  });

  test('an empty file', async () => {
    expect(await look(await file('empty.onnx', ''))).toEqual({
      error: 'empty.onnx is empty, expected an ONNX model',
    });
  });

  test('a text', async () => {
    const line = await look(await file('text.onnx', 'this is no model at all\n'.repeat(10)));
    expect(line).toEqual({ error: expect.stringMatching(/^text\.onnx is no ONNX model/) });
  });

  test('a file with a valid protocol buffer that is no model', async () => {
    const line = await look(await file('other.onnx', Buffer.from([0x12, 3, 0x61, 0x62, 0x63])));
    expect(line).toEqual({ error: expect.stringMatching(/holds no graph/) });
  });

  test('a model cut off anywhere', async () => {
    const whole = await readFile(join(FIXTURES, 'regressor.onnx'));
    for (const length of [1, 20, 300, whole.length - 100, whole.length - 1]) {
      const line = await look(await file('cut.onnx', whole.subarray(0, length)));
      expect(line, `cut at ${length}`).toHaveProperty('error');
    }
  });

  test('a model with wrong bytes in it never ends the inspection without a line', async () => {
    const whole = await readFile(join(FIXTURES, 'no-zipmap.onnx'));
    for (const at of [0, 5, 40, 200]) {
      const broken = Buffer.from(whole);
      broken[at] = 0xff;
      expect(Object.keys(await look(await file('broken.onnx', broken)))).toHaveLength(1);
    }
  });

  test('a file beyond 2 GiB', async () => {
    const path = join(folder, 'huge.onnx');
    const handle = await open(path, 'w');
    await handle.truncate(3 * 2 ** 30);
    await handle.close();
    expect(await look(path)).toEqual({ error: expect.stringMatching(/at most 2 GiB/) });
  });

  test('a file that is not there, a folder', async () => {
    expect(await look(join(folder, 'none.onnx'))).toEqual({
      error: expect.stringMatching(/^none\.onnx cannot be read: ENOENT/),
    });
    expect(await look(folder)).toEqual({ error: expect.stringMatching(/is no file/) });
  });
});

describe('a function', () => {
  test('is there', async () => {
    const source = await file('there.ts', 'export default () => new Response()');
    expect(await look(source, 'function')).toEqual({
      inspection: { platform: 'rouse_function', inputs: [], outputs: [], properties: {} },
    });
  });

  test('is not there', async () => {
    expect(await look(join(folder, 'no.ts'), 'function')).toEqual({
      error: 'no.ts: no such file or folder',
    });
    expect(await look(await file('model.txt', ''), 'function')).toEqual({
      error: 'model.txt: expected a .ts or .js file',
    });
    expect(await look(FIXTURES, 'function')).toEqual({
      error: 'the folder holds no index.ts or index.js',
    });
  });
});
