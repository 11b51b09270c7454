import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOfData, dataOfBytes } from '#functions/protocol/binary.ts';
import { type Datatype, isDatatype } from '#functions/protocol/datatypes.ts';
import { formatJson, parseJson } from '#functions/protocol/json.ts';
import { dataOfValues, valuesOfData } from '#functions/protocol/values.ts';
import {
  FIXTURES,
  ROOT,
  type Reply,
  type ServerProcess,
  inspect,
  makeFolder,
  removeFolder,
  serve,
} from './process.ts';

/** Foreign models through inspection and the real server; the numbers are those of onnxruntime in Python. */

interface Expected {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: number[];
  readonly data: (number | string | boolean)[];
}

interface Case {
  readonly inputs: Expected[];
  readonly outputs: Expected[];
  readonly labels: Record<string, (string | number)[]>;
}

const names = (await readdir(FIXTURES))
  .filter((file) => file.endsWith('.json'))
  .map((file) => file.slice(0, -'.json'.length));

let folder: string;
beforeAll(async () => {
  folder = await makeFolder();
});
afterAll(async () => removeFolder(folder));

async function readCase(name: string): Promise<Case> {
  return JSON.parse(await readFile(join(FIXTURES, `${name}.json`), 'utf8'));
}

/** Deploys as the runtime does: inspect, then serve what the inspection says. */
async function deploy(name: string): Promise<ServerProcess> {
  const source = join(FIXTURES, `${name}.onnx`);
  const env = { ROUSE_KIND: 'onnx', NODE_COMPILE_CACHE: join(folder, 'cache') };
  const line = await inspect({ ...env, ROUSE_SOURCE: source, ROUSE_OUTPUT: folder });
  if ('error' in line) throw new Error(line.error);
  const server = await serve('node', folder, {
    ...env,
    ROUSE_SOURCE: line.served ?? source,
    ROUSE_INSPECTION: JSON.stringify(line.inspection),
    ROUSE_REVISION: 'v7',
  });
  expect(server.ready).toEqual({ load: expect.any(Number) });
  return server;
}

/** Integers of 64 bits stand as text in the fixtures. */
function valuesOf({ datatype, data }: Expected): unknown[] {
  return datatype.endsWith('64') && datatype !== 'FP64'
    ? data.map((value) => BigInt(String(value)))
    : data;
}

function jsonRequest({ inputs }: Case): string {
  return formatJson({ id: 'a', inputs: inputs.map((one) => ({ ...one, data: valuesOf(one) })) });
}

function binaryRequest({ inputs }: Case): { body: Buffer; length: string } {
  const parts = inputs.map((one) =>
    bytesOfData(dataOfValues(one.datatype, valuesOf(one), one.name)),
  );
  const head = Buffer.from(
    JSON.stringify({
      inputs: inputs.map(({ name, datatype, shape }, index) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: parts[index]?.length },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  return { body: Buffer.concat([head, ...parts]), length: String(head.length) };
}

interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: number[];
  readonly data?: unknown[];
  readonly parameters?: { binary_data_size: number };
}

/** The outputs of an answer, with the values that came as binary data put in. */
function outputsOf(reply: Reply): Output[] {
  const length = Number(reply.headers['inference-header-content-length'] ?? reply.body.length);
  const head: unknown = parseJson(reply.body.toString('utf8', 0, length), 'the answer');
  const outputs: Output[] = Reflect.get(Object(head), 'outputs');
  let at = length;
  return outputs.map((output) => {
    const { name, datatype, shape, parameters } = output;
    const size = parameters?.binary_data_size;
    if (size === undefined || !isDatatype(datatype)) return output;
    const bytes = reply.body.subarray(at, (at += size));
    const count = shape.reduce((product, one) => product * one, 1);
    const data = valuesOfData(datatype, dataOfBytes(datatype, bytes, count, name));
    return { name, datatype, shape, parameters, data };
  });
}

function expectSame(found: Output[], expected: readonly Expected[]): void {
  expect(found.map(({ name, datatype, shape }) => ({ name, datatype, shape }))).toEqual(
    expected.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
  );
  for (const [index, one] of expected.entries()) {
    const wanted = valuesOf(one);
    const values = found[index]?.data ?? [];
    expect(values).toHaveLength(wanted.length);
    for (const [at, value] of wanted.entries()) {
      if (typeof value === 'number') expectClose(values[at], value);
      else expect(formatJson(values[at])).toBe(formatJson(value));
    }
  }
}

function expectClose(found: unknown, wanted: number): void {
  expect(typeof found).toBe('number');
  expect(Math.abs(Number(found) - wanted)).toBeLessThanOrEqual(Math.abs(wanted) * 1e-6);
}

describe.each(names)('%s', (name) => {
  let server: ServerProcess;
  let expected: Case;
  beforeAll(async () => {
    expected = await readCase(name);
    server = await deploy(name);
  });
  afterAll(() => server.stop());

  test('answers JSON as onnxruntime in Python does', async () => {
    const reply = await server.call('/v2/models/any/infer', jsonRequest(expected));
    expect(reply.status, reply.text).toBe(200);
    expect(reply.text).toContain('"model_name":"any","model_version":"v7","id":"a"');
    expectSame(outputsOf(reply), expected.outputs);
  });

  test('answers binary tensors as onnxruntime in Python does', async () => {
    const { body, length } = binaryRequest(expected);
    const reply = await server.call('/v2/models/any/versions/1/infer', body, {
      'inference-header-content-length': length,
    });
    expect(reply.status, reply.text).toBe(200);
    expect(reply.headers['content-type']).toBe('application/octet-stream');
    const found = outputsOf(reply);
    expect(found.every((output) => output.parameters !== undefined)).toBe(true);
    expectSame(found, expected.outputs);
  });

  test('shows what it takes and gives, with class labels', async () => {
    const metadata = JSON.parse((await server.call('/v2/models/any')).text);
    expect(metadata).toMatchObject({ name: 'any', versions: ['v7'], platform: 'onnx_onnxruntime' });
    expect(metadata.inputs.map((input: Output) => [input.name, input.datatype])).toEqual(
      expected.inputs.map((input) => [input.name, input.datatype]),
    );
    const labels = Object.fromEntries(
      metadata.outputs.flatMap((output: { name: string; labels?: unknown }) =>
        output.labels ? [[output.name, output.labels]] : [],
      ),
    );
    expect(labels).toEqual(expected.labels);
  });
});

describe('requested outputs', () => {
  let server: ServerProcess;
  let expected: Case;
  beforeAll(async () => {
    expected = await readCase('odd-shapes');
    server = await deploy('odd-shapes');
  });
  afterAll(() => server.stop());

  test('are the only ones, in the order asked, each in the form asked', async () => {
    const reply = await server.call('/v2/models/m/infer', {
      inputs: expected.inputs,
      outputs: [{ name: 'size', parameters: { binary_data: true } }, { name: 'y' }],
    });
    expect(outputsOf(reply).map((output) => [output.name, 'parameters' in output])).toEqual([
      ['size', true],
      ['y', false],
    ]);
    expectSame(outputsOf(reply), expected.outputs.toReversed());
  });

  test('metadata of the file is shown', async () => {
    const metadata = JSON.parse((await server.call('/v2/models/m')).text);
    expect(metadata.properties).toMatchObject({
      accuracy: '0.5',
      'onnx.dimensions': 'x [rows,columns], y [rows,columns]',
    });
    expect(metadata.inputs).toEqual([
      { name: 'x', datatype: 'FP32', shape: [-1, -1] },
      { name: 's', datatype: 'FP32', shape: [] },
    ]);
  });

  test('health, readiness and the server itself answer', async () => {
    for (const path of [
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models/m/ready',
      '/v1/models/m',
    ]) {
      expect((await server.call(path)).status, path).toBe(200);
    }
    expect(JSON.parse((await server.call('/v2')).text)).toEqual({
      name: 'onnxruntime',
      version: expect.any(String),
      extensions: ['binary_tensor_data'],
    });
  });
});

describe('V1', () => {
  test('one input: rows are values, several outputs make objects', async () => {
    const server = await deploy('zipmap-string');
    const { inputs, outputs } = await readCase('zipmap-string');
    const rows = [0, 1, 2, 3, 4].map((row) => inputs[0]?.data.slice(row * 4, row * 4 + 4));
    const reply = await server.call('/v1/models/m:predict', { instances: rows });
    const { predictions } = JSON.parse(reply.text);
    const [labels, probabilities] = outputs;
    for (const [row, found] of predictions.entries()) {
      expect(found.output_label).toBe(labels?.data[row]);
      const wanted = probabilities?.data.slice(row * 3, row * 3 + 3) ?? [];
      for (const [at, value] of wanted.entries())
        expectClose(found.output_probability[at], Number(value));
    }
    await server.stop();
  });

  test('several inputs: rows are objects, plain values where a column is meant', async () => {
    const server = await deploy('several-inputs');
    const { inputs, outputs } = await readCase('several-inputs');
    const [city, age, income] = inputs.map((input) => input.data);
    const instances = [0, 1, 2, 3, 4].map((row) => ({
      city: city?.[row],
      age: Number(age?.[row]),
      income: income?.[row],
    }));
    const reply = await server.call('/v1/models/m:predict', { instances });
    const { predictions } = JSON.parse(reply.text);
    expect(predictions.map((one: { output_label: number }) => String(one.output_label))).toEqual(
      outputs[0]?.data,
    );
    await server.stop();
  });

  test('one output: predictions are values, integers beyond 2^53 exact', async () => {
    const server = await deploy('int64-exact');
    const exact = '{"instances":[9007199254740993,-9223372036854775808]}';
    const reply = await server.call('/v1/models/m:predict', exact);
    expect(reply.text).toBe('{"predictions":[9007199254740993,-9223372036854775808]}');
    await server.stop();
  });
});

test('onnxruntime reports to nobody: it leaves no file of its own, neither here nor at home', async () => {
  const [home, temporary] = [join(folder, 'home'), join(folder, 'tmp')];
  await Promise.all([mkdir(home), mkdir(temporary)]);
  const env = {
    ROUSE_KIND: 'onnx',
    ROUSE_SOURCE: join(ROOT, 'functions/samples/digits/v2.onnx'),
    HOME: home,
    TMPDIR: temporary,
  };
  const looked = await inspect({ ...env, ROUSE_OUTPUT: folder });
  expect(looked).toMatchObject({ inspection: { platform: 'onnx_onnxruntime' } });
  const server = await serve('node', folder, { ...env, ROUSE_REVISION: 'v1' });
  expect(server.ready).toMatchObject({ load: expect.any(Number) });
  await server.stop();
  expect([...(await readdir(home)), ...(await readdir(temporary))]).toEqual([]);
});
