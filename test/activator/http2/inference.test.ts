import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WireType } from '@bufbuild/protobuf/wire';
import {
  type Client,
  Metadata,
  type sendUnaryData,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeFolder, removeFolder, serve, type ServerProcess } from '#test/functions/process.ts';
import { until } from '#test/until.ts';
import { makePrefix } from '#activator/http2/grpc.ts';
import { makeInstance, makeModel, makeRevision, startHarness } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { ask, openSession } from './client.ts';
import { callUnary, type Called, openClient, startGrpcInstance } from './grpc-service.ts';
import { fieldsOf, inferRequest, modelRequest, parseInferResponse } from './inference-messages.ts';

const DATATYPES = ['BOOL', 'INT8', 'INT64', 'UINT8', 'UINT64', 'FP32', 'FP64', 'BYTES'] as const;
const tensors = DATATYPES.map((datatype) => ({ name: datatype, datatype, shape: [-1] }));

let folder: string;
let server: ServerProcess;
let client: Client;
const harness = useHarness();

beforeAll(async () => {
  folder = await makeFolder();
  const source = join(folder, 'echo');
  await mkdir(source);
  const declared = JSON.stringify(tensors);
  const text = `export default { outputs: ${declared}, predict: (inputs) => {
    if ('refused' in inputs) throw Object.assign(new Error('not this é'), { status: 422 });
    if ('broken' in inputs) throw new Error('a bug');
    return inputs;
  } };`;
  await writeFile(join(source, 'index.ts'), text);
  const env = { ROUSE_KIND: 'function', ROUSE_SOURCE: source, ROUSE_REVISION: 'v1' };
  server = await serve('node', folder, env);
  expect(server.ready).not.toHaveProperty('error');
});

afterAll(async () => {
  await server.stop();
  await removeFolder(folder);
});

beforeEach(() => {
  client = openClient(harness.port);
});

afterEach(() => {
  client.close();
});

const echo = makeModel({ name: 'echo', revisions: [makeRevision({ runtime: 'function' })] });

async function publish(address: { node: string; socket: string } | number): Promise<void> {
  const revision = 'default/echo/v1';
  const instance =
    typeof address === 'number'
      ? makeInstance(address, { revision })
      : makeInstance(0, { revision, address });
  harness.publisher.update({ models: [echo], instances: [instance] });
  await harness.activator.ready;
}

/** A server of ours, or a stand-in that answers with whatever a test wants. */
const own = (): Promise<void> => publish({ node: 'test', socket: server.socketPath });

function call(method: string, message: Buffer, metadata = new Metadata()): Promise<Called> {
  return callUnary(client, metadata, message, {
    path: `/inference.GRPCInferenceService/${method}`,
  });
}

function infer(request: Parameters<typeof inferRequest>[0], metadata?: Metadata): Promise<Called> {
  return call('ModelInfer', inferRequest({ model: 'echo', ...request }), metadata);
}

async function inferred(request: Parameters<typeof inferRequest>[0]) {
  const called = await infer(request);
  expect(called.error).toBeUndefined();
  return { ...parseInferResponse(called.bytes), initial: called.initial };
}

const bytes = (array: { buffer: ArrayBufferLike }): Buffer => Buffer.from(array.buffer);
const one = { name: 'FP32', datatype: 'FP32', shape: [1] };
const raw = [bytes(Float32Array.of(1.5))];

describe('ModelInfer', () => {
  test('raw tensors pass to a server of ours and back, bit for bit', async () => {
    await own();
    const answer = await inferred({
      id: 'é7',
      inputs: [
        { name: 'FP32', datatype: 'FP32', shape: [3] },
        { name: 'INT64', datatype: 'INT64', shape: [2] },
        { name: 'BYTES', datatype: 'BYTES', shape: [1] },
      ],
      raw: [
        bytes(Float32Array.of(0.1, -0, Infinity)),
        bytes(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
        Buffer.from('\x02\0\0\0é'),
      ],
    });
    expect(answer).toMatchObject({
      model: 'echo',
      version: 'v1',
      id: 'é7',
      outputs: [
        { name: 'FP32', datatype: 'FP32', shape: [3] },
        { name: 'INT64', datatype: 'INT64', shape: [2] },
        { name: 'BYTES', datatype: 'BYTES', shape: [1] },
      ],
    });
    expect(answer.raw).toEqual([
      bytes(Float32Array.of(0.1, -0, Infinity)),
      bytes(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n)),
      Buffer.from('\x02\0\0\0é'),
    ]);
    expect(answer.initial?.get('rouse-revision')).toEqual(['v1']);
  });

  test('typed contents, packed and one by one, of every kind', async () => {
    await own();
    const shape = [2];
    const answer = await inferred({
      inputs: [
        {
          name: 'BOOL',
          datatype: 'BOOL',
          shape,
          contents: (w) => w.tag(1, 2).fork().bool(true).bool(false).join(),
        },
        {
          name: 'INT8',
          datatype: 'INT8',
          shape,
          contents: (w) => w.tag(2, 2).fork().int32(-128).int32(127).join(),
        },
        {
          name: 'INT64',
          datatype: 'INT64',
          shape,
          contents: (w) =>
            w
              .tag(3, 0)
              .int64(-(2n ** 63n))
              .tag(3, 0)
              .int64(5),
        },
        {
          name: 'UINT8',
          datatype: 'UINT8',
          shape,
          contents: (w) => w.tag(4, 2).fork().uint32(0).uint32(255).join(),
        },
        {
          name: 'UINT64',
          datatype: 'UINT64',
          shape,
          contents: (w) =>
            w
              .tag(5, 2)
              .fork()
              .uint64(2n ** 64n - 1n)
              .uint64(1)
              .join(),
        },
        {
          name: 'FP32',
          datatype: 'FP32',
          shape,
          contents: (w) => w.tag(6, WireType.Bit32).float(0.5).tag(6, WireType.Bit32).float(2),
        },
        {
          name: 'FP64',
          datatype: 'FP64',
          shape,
          contents: (w) => w.tag(7, 2).fork().double(0.1).double(-0).join(),
        },
        {
          name: 'BYTES',
          datatype: 'BYTES',
          shape,
          contents: (w) => w.tag(8, 2).string('a').tag(8, 2).string('é'),
        },
      ],
    });
    expect(answer.raw).toEqual([
      Buffer.from([1, 0]),
      Buffer.from([0x80, 0x7f]),
      bytes(BigInt64Array.of(-(2n ** 63n), 5n)),
      Buffer.from([0, 255]),
      bytes(BigUint64Array.of(2n ** 64n - 1n, 1n)),
      bytes(Float32Array.of(0.5, 2)),
      bytes(Float64Array.of(0.1, -0)),
      Buffer.from('\x01\0\0\0a\x02\0\0\0é'),
    ]);
  });

  test('only the outputs that are asked for come, and large tensors pass whole', async () => {
    await own();
    // No part of it is like another: one that was read over would show.
    const large = bytes(Float32Array.from({ length: 200_000 }, (_, i) => i));
    const answer = await inferred({
      inputs: [
        { name: 'FP32', datatype: 'FP32', shape: [200_000] },
        { name: 'UINT8', datatype: 'UINT8', shape: [1] },
      ],
      outputs: ['FP32'],
      raw: [large, Buffer.from([7])],
    });
    expect(answer.outputs).toMatchObject([{ name: 'FP32', shape: [200_000] }]);
    expect(answer.raw[0]?.equals(large)).toBe(true);
  });

  test('what the server refuses becomes a status with its words', async () => {
    await own();
    const cases: [string, number, RegExp][] = [
      ['refused', status.INVALID_ARGUMENT, /^not this é$/],
      ['broken', status.INTERNAL, /its log says why/],
    ];
    for (const [name, code, details] of cases) {
      const { error } = await infer({ inputs: [{ ...one, name }], raw });
      expect(error).toMatchObject({ code });
      expect(error?.details).toMatch(details);
      expect(error?.metadata.get('rouse-revision')).toEqual(['v1']);
    }
  });

  test.each([
    [
      'two inputs and one raw tensor',
      { inputs: [one, one], raw },
      /1 raw_input_contents for 2 inputs/,
    ],
    [
      'contents and raw tensors',
      { inputs: [{ ...one, contents: (w) => w.tag(6, 5).float(1) }], raw },
      /both contents and raw/,
    ],
    [
      'contents of another datatype',
      { inputs: [{ ...one, contents: (w) => w.tag(3, 0).int64(1) }] },
      /field 3, which is not that of FP32/,
    ],
    [
      'a value that does not fit',
      {
        inputs: [
          { name: 'x', datatype: 'INT8', shape: [1], contents: (w) => w.tag(2, 0).int32(200) },
        ],
      },
      /200 is no INT8/,
    ],
    [
      'a datatype without contents',
      {
        inputs: [
          { name: 'x', datatype: 'FP16', shape: [1], contents: (w) => w.tag(6, 5).float(1) },
        ],
      },
      /FP16 has no typed contents/,
    ],
  ] as [string, Parameters<typeof inferRequest>[0], RegExp][])(
    'refused: %s',
    async (_, request, details) => {
      await own();
      const { error } = await infer(request);
      expect(error?.code).toBe(status.INVALID_ARGUMENT);
      expect(error?.details).toMatch(details);
    },
  );

  test('refused: bytes that are no message, a model or method that is not there', async () => {
    await own();
    const cases: [string, Buffer, number, RegExp][] = [
      ['ModelInfer', Buffer.from([0xff, 0xff]), status.INVALID_ARGUMENT, /malformed/],
      [
        'ModelInfer',
        inferRequest({ model: 'echo' }).subarray(0, 4),
        status.INVALID_ARGUMENT,
        /malformed/,
      ],
      ['ModelInfer', inferRequest({ model: 'none' }), status.NOT_FOUND, /no model "none"/],
      [
        'ModelInfer',
        inferRequest({ model: 'echo', version: '9' }),
        status.NOT_FOUND,
        /no revision "9"/,
      ],
      ['ModelStreamInfer', inferRequest({ model: 'echo' }), status.UNIMPLEMENTED, /no streams/],
      ['RepositoryIndex', Buffer.alloc(0), status.UNIMPLEMENTED, /RepositoryIndex/],
    ];
    for (const [method, message, code, details] of cases) {
      const { error } = await call(method, message);
      expect(error, method).toMatchObject({ code });
      expect(error?.details).toMatch(details);
    }
    const elsewhere = new Metadata();
    elsewhere.set('rouse-model', 'gone');
    expect((await infer({}, elsewhere)).error?.code).toBe(status.NOT_FOUND);
  });

  test('refused: no message, or a second one', async () => {
    await own();
    const session = await openSession(harness.port);
    harness.teardown(() => session.destroy());
    const message = inferRequest({ model: 'echo', inputs: [one], raw });
    const framed = Buffer.concat([makePrefix(message.length), message]);
    const headers = {
      ':method': 'POST',
      ':path': '/inference.GRPCInferenceService/ModelInfer',
      'content-type': 'application/grpc',
    };
    for (const [body, details] of [
      [Buffer.alloc(0), 'A message is expected.'],
      [framed.subarray(0, -1), 'A message is expected.'],
      [Buffer.concat([framed, framed]), 'One message is expected.'],
    ] as const) {
      const answer = await ask(session, headers, body);
      expect(answer.headers).toMatchObject({
        'grpc-status': `${status.INVALID_ARGUMENT}`,
        'grpc-message': details,
      });
    }
    expect((await ask(session, headers, framed)).trailers).toMatchObject({ 'grpc-status': '0' });
  });

  test('refused: 4 MiB of empty inputs; of a model that is not there nothing more is read', async () => {
    await own();
    const empty = Buffer.alloc(4 * 1024 * 1024 - 64, Buffer.from([0x2a, 0]));
    const flood = await call('ModelInfer', Buffer.concat([inferRequest({ model: 'echo' }), empty]));
    expect(flood.error).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(flood.error?.details).toMatch(/more than 1024 inputs/);
    const wrong = Buffer.from([0x2a, 1, 0xff]);
    for (const [model, code] of [
      ['echo', status.INVALID_ARGUMENT],
      ['none', status.NOT_FOUND],
    ] as const) {
      const { error } = await call('ModelInfer', Buffer.concat([inferRequest({ model }), wrong]));
      expect(error).toMatchObject({ code });
    }
  });

  test('a sleeping model is woken, and the call held for it', async () => {
    harness.publisher.update({ models: [echo] });
    await harness.activator.ready;
    const asked = inferred({ inputs: [one], raw });
    await harness.report('wake');
    await own();
    const answer = await asked;
    expect(answer.raw).toEqual(raw);
    expect(answer.initial?.get('rouse-cold-start')).toEqual(['true']);
    const slept = new Metadata();
    slept.set('rouse-hold', '0');
    harness.publisher.update({ removedInstances: ['instance-0'] });
    const refused = await infer({ inputs: [one], raw }, slept);
    expect(refused.error).toMatchObject({ code: status.UNAVAILABLE });
  });

  test('answers with values in JSON only are packed; what is no V2 answer is a fault of the server', async () => {
    const bodies = [
      '{"model_name":"echo","outputs":[{"name":"a","datatype":"INT64","shape":[1,2],"data":[[9007199254740993,-1]]},' +
        '{"name":"b","datatype":"BYTES","shape":[1],"data":["é"]},{"name":"c","datatype":"FP16","shape":[1],"data":[1]}]}',
      '{"model_name":"echo","outputs":[{"name":"a","datatype":"UINT8","shape":[1],"data":[256]}]}',
      'no JSON',
      '{"outputs":[{"name":"a","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}',
    ];
    const instance = await harness.startInstance((_, response) => response.end(bodies.shift()));
    await publish(instance.port);
    expect((await inferred({})).raw).toEqual([
      bytes(BigInt64Array.of(9007199254740993n, -1n)),
      Buffer.from('\x02\0\0\0é'),
      Buffer.from([0, 0x3c]),
    ]);
    for (let rest = 0; rest < 3; rest += 1) {
      const { error } = await infer({});
      expect(error?.code).toBe(status.INTERNAL);
      expect(error?.details).toMatch(/not understood/);
    }
  });

  test('metadata that are fields of V2 over HTTP do not stand beside those that are made', async () => {
    const seen: string[][] = [];
    const instance = await harness.startInstance(({ rawHeaders }, response) => {
      seen.push(rawHeaders.map((text) => text.toLowerCase()));
      response.end('{"model_name":"echo","outputs":[]}');
    });
    await publish(instance.port);
    const metadata = new Metadata();
    metadata.set('inference-header-content-length', '1');
    metadata.set('own', 'kept');
    expect((await infer({ inputs: [one], raw }, metadata)).error).toBeUndefined();
    const names = (seen[0] ?? []).filter((_, i) => i % 2 === 0);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    expect(names).toContain('inference-header-content-length');
    expect(names).toContain('own');
    expect(seen[0]?.[names.indexOf('inference-header-content-length') * 2 + 1]).not.toBe('1');
  });

  test('the first part of an answer is not touched by what is read after it', async () => {
    const [first, second] = ['A'.repeat(4000), 'B'.repeat(8000)] as const;
    const length = first.length + second.length;
    const json = JSON.stringify({
      outputs: [
        {
          name: 'UINT8',
          datatype: 'UINT8',
          shape: [length],
          parameters: { binary_data_size: length },
        },
      ],
    });
    const head =
      `HTTP/1.1 200 OK\r\nContent-Length: ${json.length + length}\r\n` +
      `Inference-Header-Content-Length: ${json.length}\r\n\r\n`;
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () => {
        socket.write(head + json + first);
        const held = `rouse_held_bytes ${json.length + first.length}\n`;
        const wasRead = until('its first part', () => harness.activator.metrics().includes(held));
        void wasRead.then(
          () => socket.write(second),
          () => socket.destroy(),
        );
      });
    });
    await publish(instance.port);
    const answer = await inferred({ inputs: [one], raw });
    expect(answer.raw).toEqual([Buffer.from(first + second)]);
  });

  test('a server that is lost in the middle of its answer is unavailable', async () => {
    const broken = await harness.startBareInstance((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'));
    });
    await publish(broken.port);
    expect((await infer({})).error?.code).toBe(status.UNAVAILABLE);
  });

  test('messages count against the budget of waiting bodies, and all of it is given back', async () => {
    const small = await startHarness({ heldBytes: 100_000 });
    const other = openClient(small.port);
    harness.teardown(() => other.close());
    harness.teardown(() => small.close());
    small.publisher.update({ models: [echo] });
    await small.activator.ready;
    const path = '/inference.GRPCInferenceService/ModelInfer';
    const request = (size: number): Buffer =>
      inferRequest({
        model: 'echo',
        inputs: [{ name: 'UINT8', datatype: 'UINT8', shape: [size] }],
        raw: [Buffer.alloc(size)],
      });
    const hold = new Metadata();
    hold.set('rouse-hold', '0');
    for (let round = 0; round < 5; round += 1) {
      const large = await callUnary(other, hold, request(200_000), { path });
      expect(large.error?.details).toMatch(/as large as they may be/);
      expect(large.error?.metadata.get('grpc-retry-pushback-ms')).toEqual(['1000']);
      const fits = await callUnary(other, hold, request(60_000), { path });
      expect(fits.error?.details).toMatch(/does not wait/);
    }
  });
});

describe('models whose server speaks gRPC', () => {
  test('get the call as it came, found by the name in its message', async () => {
    const seen: Buffer[] = [];
    const instance = await startGrpcInstance(
      {
        unary(given: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
          seen.push(given.request);
          done(null, Buffer.from('own answer'));
        },
      },
      0,
      '/inference.GRPCInferenceService/ModelInfer',
    );
    harness.teardown(() => instance.close());
    await harness.publish();
    const message = inferRequest({ model: 'digits', raw: [Buffer.alloc(300_000, 'x')] });
    const asked = call('ModelInfer', message);
    await harness.report('wake');
    harness.publisher.update({ instances: [makeInstance(instance.port)] });
    expect((await asked).body).toBe('own answer');
    expect(seen[0]?.equals(message)).toBe(true);
  });
});

describe('what wakes nothing', () => {
  test('server and model: alive, ready, metadata', async () => {
    const revision = makeRevision({
      runtime: 'onnx',
      platform: 'onnx',
      inputs: [{ name: 'image', datatype: 'FP32', shape: [-1, 64] }],
      outputs: [{ name: 'label', datatype: 'INT64', shape: [-1] }],
    });
    const failed = makeModel({ name: 'failed', revisions: [makeRevision({ state: 'Failed' })] });
    harness.publisher.update({ models: [makeModel({ revisions: [revision] }), failed] });
    await harness.activator.ready;
    const text = (value: unknown): string => Buffer.from(value as Uint8Array).toString();
    for (const method of ['ServerLive', 'ServerReady']) {
      expect(fieldsOf((await call(method, Buffer.alloc(0))).bytes)).toEqual([[1, 1]]);
    }
    const about = fieldsOf((await call('ServerMetadata', Buffer.alloc(0))).bytes);
    expect(about.map(([, value]) => text(value))).toEqual(['rouse', '0.0.0', 'binary_tensor_data']);
    const ready = async (name: string) =>
      fieldsOf((await call('ModelReady', modelRequest(name))).bytes);
    expect(await ready('digits')).toEqual([[1, 1]]);
    expect(await ready('failed')).toEqual([]);
    const metadata = fieldsOf((await call('ModelMetadata', modelRequest('digits', 'v1'))).bytes);
    expect(metadata.slice(0, 3).map(([, value]) => text(value))).toEqual(['digits', 'v1', 'onnx']);
    expect(metadata.slice(3).map(([field]) => field)).toEqual([4, 5]);
    const input = fieldsOf(metadata[3]?.[1] as Uint8Array);
    expect(text(input[0]?.[1])).toBe('image');
    for (const method of ['ModelReady', 'ModelMetadata']) {
      expect((await call(method, modelRequest('none'))).error?.code).toBe(status.NOT_FOUND);
      expect((await call(method, modelRequest('digits', '9'))).error?.code).toBe(status.NOT_FOUND);
    }
    expect(harness.reports.filter(({ type }) => type === 'wake')).toEqual([]);
  });

  test("what is shown at the host of a tag is the tag's revision, else the one with most of the split", async () => {
    const revisions = ['v1', 'v2'].map((name) =>
      makeRevision({ name, runtime: 'onnx', platform: `of ${name}` }),
    );
    const targets = [
      { revision: 'v2', percent: 10, tag: 'canary' },
      { revision: 'v1', percent: 90 },
    ];
    harness.publisher.update({ models: [makeModel({ targets, revisions })] });
    await harness.activator.ready;
    const platformAt = async (host: string): Promise<string> => {
      client.close();
      client = openClient(harness.port, { 'grpc.default_authority': `${host}.default.localhost` });
      const { bytes } = await call('ModelMetadata', modelRequest('digits'));
      return Buffer.from(fieldsOf(bytes)[3]?.[1] as Uint8Array).toString();
    };
    expect(await platformAt('digits')).toBe('of v1');
    expect(await platformAt('canary-digits')).toBe('of v2');
  });
});
