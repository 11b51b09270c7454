import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import {
  type Client,
  Metadata,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import {
  call,
  makeInstance,
  makeModel,
  makeRevision,
  startHarness,
  startStill,
} from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { ask, openSession } from './client.ts';
import {
  both,
  callUnary,
  download,
  type GrpcInstance,
  openClient,
  readAll,
  startGrpcInstance,
  upload,
} from './grpc-service.ts';

const harness = useHarness();
let client: Client;

beforeEach(() => {
  client = openClient(harness.port);
});

afterEach(() => {
  client.close();
});

type Unary = ServerUnaryCall<Buffer, Buffer>;

const echo: UntypedServiceImplementation = {
  unary(call: Unary, done: sendUnaryData<Buffer>) {
    const trailers = new Metadata();
    trailers.set('x-trailer', 'there');
    done(null, call.request, trailers);
  },
  upload(call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
    const messages: string[] = [];
    call.on('data', (message: Buffer) => messages.push(message.toString()));
    call.on('end', () => done(null, Buffer.from(messages.join())));
  },
  download(call: ServerWritableStream<Buffer, Buffer>) {
    for (const part of call.request.toString().split(',')) call.write(Buffer.from(part));
    call.end();
  },
  both(call: ServerDuplexStream<Buffer, Buffer>) {
    call.on('data', (message: Buffer) => call.write(Buffer.from(`<${message.toString()}>`)));
    call.on('end', () => call.end());
  },
};

async function serve(
  handlers: UntypedServiceImplementation = {},
  model = makeModel(),
): Promise<GrpcInstance> {
  const instance = await startGrpcInstance({ ...echo, ...handlers });
  harness.teardown(() => instance.close());
  await harness.publish(model, instance.port);
  return instance;
}

function metadata(fields: Record<string, string> = {}): Metadata {
  const made = new Metadata();
  made.set('rouse-model', 'digits');
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  return made;
}

describe('calls', () => {
  test('a head as large as may be does not end the session that others use', async () => {
    const large = await startHarness({ head: 64 * 1024 });
    harness.teardown(() => large.close());
    const sessions = new Set<unknown>();
    const waiting: ServerHttp2Stream[] = [];
    const instance = createServer({ settings: { maxHeaderListSize: 256 * 1024 } });
    instance.on('session', (each) => sessions.add(each));
    instance.on('stream', (stream, headers) => {
      const answer = (to: ServerHttp2Stream): void =>
        to.respond({ 'content-type': 'application/grpc', 'grpc-status': '0' }, { endStream: true });
      if (headers['x-waits'] !== undefined) waiting.push(stream);
      else for (const each of [stream, ...waiting.splice(0)]) answer(each);
    });
    instance.listen(0, '127.0.0.1');
    await once(instance, 'listening');
    harness.teardown(() => instance.close());
    const { port } = instance.address() as AddressInfo;
    large.publisher.update({ models: [makeModel()], instances: [makeInstance(port)] });
    await large.activator.ready;
    const session = connect(`http://127.0.0.1:${large.port}`, {
      maxSendHeaderBlockLength: 2 ** 20,
    });
    harness.teardown(() => session.destroy());
    const base = {
      ':method': 'POST',
      ':path': '/test.Echo/Unary',
      'content-type': 'application/grpc',
      'rouse-model': 'digits',
    };
    const body = Buffer.alloc(5);
    const waits = ask(session, { ...base, 'x-waits': '1' }, body);
    await expect.poll(() => waiting.length).toBe(1);
    const big = await ask(session, { ...base, 'x-big': 'a'.repeat(65_200) }, body);
    expect(big).toMatchObject({ status: 200, headers: { 'grpc-status': '0' } });
    expect(await waits).toMatchObject({ status: 200, headers: { 'grpc-status': '0' } });
    expect(sessions.size).toBe(1);
  });

  test('unary: metadata, trailers, and our fields as initial metadata', async () => {
    const seen: Metadata[] = [];
    await serve({
      unary(call: Unary, done: sendUnaryData<Buffer>) {
        seen.push(call.metadata);
        echo['unary']?.(call as never, done as never);
      },
    });
    const { error, body, initial } = await callUnary(
      client,
      metadata({ 'x-mine': 'there' }),
      'hello',
    );
    expect([error, body]).toEqual([undefined, 'hello']);
    expect(initial?.get('rouse-revision')).toEqual(['v1']);
    expect(initial?.get('rouse-cold-start')).toEqual(['false']);
    expect(initial?.get('server-timing')[0]).toMatch(/^queue;dur=/);
    expect(seen[0]?.get('x-mine')).toEqual(['there']);
    expect(seen[0]?.get('x-forwarded-for')).toEqual(['127.0.0.1']);
    expect(seen[0]?.get('grpc-timeout')).toEqual([]);
  });

  test('client, server and both-way streams', async () => {
    await serve();
    const up = upload(client, metadata());
    for (const part of ['a', 'b', 'c']) up.stream.write(Buffer.from(part));
    up.stream.end();
    expect(await up.answer).toBe('a,b,c');
    expect(await readAll(download(client, metadata(), '1,2,3'))).toEqual(['1', '2', '3']);
    const two = both(client, metadata());
    for (const part of ['x', 'y']) {
      two.write(Buffer.from(part));
      const [message] = (await once(two, 'data')) as [Buffer];
      expect(message.toString()).toBe(`<${part}>`);
    }
    two.end();
    await once(two, 'status');
  });

  test('the host may name the model, and large messages pass whole', async () => {
    await serve();
    const byHost = openClient(harness.port, {
      'grpc.default_authority': 'digits.default.localhost',
    });
    harness.teardown(() => byHost.close());
    const large = 'x'.repeat(3_000_000);
    expect((await callUnary(byHost, new Metadata(), large)).body).toBe(large);
  });

  test('the status of the model passes, with headers and without', async () => {
    const failure = { code: status.ALREADY_EXISTS, details: 'twice: 100 % é' };
    await serve({
      unary: (_: Unary, done: sendUnaryData<Buffer>) => done(failure),
      download(call: ServerWritableStream<Buffer, Buffer>) {
        call.write(Buffer.from('one'));
        call.emit('error', failure);
      },
    });
    expect((await callUnary(client, metadata())).error).toMatchObject(failure);
    await expect(readAll(download(client, metadata(), ''))).rejects.toMatchObject(failure);
  });

  test('a cold start: held, then served, and said to be cold', async () => {
    await harness.publish();
    const asked = callUnary(client, metadata(), 'cold');
    const stream = upload(client, metadata());
    stream.stream.write(Buffer.from('early'));
    await harness.report('wake', ({ queued }) => queued >= 2);
    const instance = await startGrpcInstance(echo);
    harness.teardown(() => instance.close());
    harness.publisher.update({ instances: [makeInstance(instance.port)] });
    const { body, initial } = await asked;
    expect([body, initial?.get('rouse-cold-start')]).toEqual(['cold', ['true']]);
    stream.stream.write(Buffer.from('late'));
    stream.stream.end();
    expect(await stream.answer).toBe('early,late');
  });
});

/** A call by hand: with a deadline, grpc-js would end it by itself. */
const HEADERS = {
  ':path': '/test.Echo/Unary',
  ':method': 'POST',
  'content-type': 'application/grpc',
  'rouse-model': 'digits',
};
const MESSAGE = Buffer.alloc(5);

describe('ends', () => {
  test('an instance that speaks HTTP/1 only: UNIMPLEMENTED, since trying again does not help', async () => {
    const instance = await harness.startInstance((_, response) => response.end('no gRPC'));
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ retry: 'safe' })] })],
      instances: [makeInstance(instance.port)],
    });
    await harness.activator.ready;
    for (const answer of await Promise.all([1, 2].map(() => callUnary(client, metadata())))) {
      expect(answer.error?.code).toBe(status.UNIMPLEMENTED);
      expect(answer.error?.details).toContain('digits does not speak HTTP/2');
    }
  });

  test('so does one that says nothing to HTTP/2 and closes, in its own words', async () => {
    const instance = await harness.startBareInstance((socket) => {
      socket.once('data', () => socket.end());
    });
    await harness.publish(makeModel(), instance.port);
    const { error } = await callUnary(client, metadata());
    expect(error?.code).toBe(status.UNAVAILABLE);
    expect(error?.details).toContain('closed the connection before it spoke HTTP/2');
  });

  test('HTTP to an instance that speaks gRPC only: 501, and what would be right', async () => {
    await serve();
    const answer = await call(harness.port, '/models/default/digits/');
    expect(answer.status).toBe(501);
    expect(answer.body).toMatch(/digits speaks HTTP\/2 only.*gRPC client/);
    // It was not at fault, and nothing of it is left.
    expect((await callUnary(client, metadata(), 'still there')).body).toBe('still there');
    expect(await harness.gauge('rouse_requests_in_flight')).toBe(0);
  });

  test('a deadline ends the hold, and what is left of it goes to the instance', async () => {
    await harness.publish();
    const session = await openSession(harness.port);
    harness.teardown(() => session.destroy());
    const ended = await ask(session, { ...HEADERS, 'grpc-timeout': '100m' }, MESSAGE);
    expect(ended.headers).toMatchObject({ ':status': 200, 'grpc-status': '4' });

    const timeouts: unknown[] = [];
    await serve({
      unary(call: Unary, done: sendUnaryData<Buffer>) {
        timeouts.push(call.getDeadline());
        done(null, call.request);
      },
    });
    const before = Date.now();
    expect(
      (await ask(session, { ...HEADERS, 'grpc-timeout': '90S' }, MESSAGE)).trailers,
    ).toMatchObject({
      'grpc-status': '0',
    });
    const [deadline] = timeouts;
    expect(Number(deadline)).toBeGreaterThan(before);
    expect(Number(deadline)).toBeLessThanOrEqual(Date.now() + 90_000);
    const bad = await ask(session, { ...HEADERS, 'grpc-timeout': '1 S' }, MESSAGE);
    expect(bad.headers['grpc-status']).toBe('3');
  });

  test('a deadline ends a run', async () => {
    const still = await startStill();
    harness.teardown(() => still.close());
    const asked = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const instance = await startGrpcInstance({
      unary(call: Unary) {
        call.once('cancelled', () => cancelled.resolve());
        asked.resolve();
      },
    });
    harness.teardown(() => instance.close());
    still.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
    await still.activator.ready;
    const session = await openSession(still.port);
    harness.teardown(() => session.destroy());
    const answer = ask(session, { ...HEADERS, 'grpc-timeout': '30S' }, MESSAGE);
    await asked.promise;
    still.clock.advance(30_000);
    expect((await answer).headers).toMatchObject({ ':status': 200, 'grpc-status': '4' });
    await cancelled.promise;
  });

  test('a cancelled call is cancelled at the instance, and frees its slot', async () => {
    const started = Promise.withResolvers<void>();
    const cancelled = Promise.withResolvers<void>();
    const model = makeModel({ revisions: [makeRevision({ concurrency: 1 })] });
    await serve(
      {
        both(call: ServerDuplexStream<Buffer, Buffer>) {
          call.once('cancelled', () => cancelled.resolve());
          started.resolve();
        },
      },
      model,
    );
    const stream = both(client, metadata());
    stream.on('error', () => {});
    await started.promise;
    const next = callUnary(client, metadata(), 'next');
    await harness.report('wake');
    stream.cancel();
    await cancelled.promise;
    expect((await next).body).toBe('next');
  });

  test('an instance that is lost: before the answer 14, in the middle a reset; another serves on', async () => {
    const model = makeModel({ revisions: [makeRevision({ concurrency: 0 })] });
    const running = Promise.withResolvers<void>();
    let calls = 0;
    const count = (): void => void (++calls === 2 && running.resolve());
    const instance = await serve(
      {
        unary: count,
        download(call: ServerWritableStream<Buffer, Buffer>) {
          call.write(Buffer.from('one'));
          count();
        },
      },
      model,
    );
    const unary = callUnary(client, metadata());
    const stream = download(client, metadata(), '');
    const first = once(stream, 'data');
    const failed = once(stream, 'error');
    await running.promise;
    await first;
    instance.close();
    expect((await unary).error?.code).toBe(status.UNAVAILABLE);
    expect([status.INTERNAL, status.UNAVAILABLE]).toContain(
      ((await failed)[0] as { code: number }).code,
    );
    const other = await startGrpcInstance(echo);
    harness.teardown(() => other.close());
    harness.publisher.update({
      instances: [makeInstance(other.port)],
      removedInstances: [`instance-${instance.port}`],
    });
    expect((await callUnary(client, metadata(), 'on')).body).toBe('on');
  });

  test('an instance that shuts down gracefully loses no call: those that it refuses go to the next', async () => {
    let instance = await serve();
    let open = true;
    const failures: unknown[] = [];
    let served = 0;
    async function callOn(): Promise<void> {
      while (open) {
        const { error } = await callUnary(client, metadata(), 'on');
        if (error) failures.push(error);
        else served += 1;
      }
    }
    const callers = Array.from({ length: 16 }, callOn);
    for (let round = 0; round < 5; round += 1) {
      const before = served;
      await until('100 more calls', () => served >= before + 100);
      const next = await startGrpcInstance(echo);
      harness.teardown(() => next.close());
      const ended = new Promise<void>((resolve) => {
        instance.server.tryShutdown(() => resolve());
      });
      harness.publisher.update({
        instances: [makeInstance(next.port)],
        removedInstances: [`instance-${instance.port}`],
      });
      await ended;
      instance = next;
    }
    open = false;
    await Promise.all(callers);
    expect(failures).toEqual([]);
  });
});

describe('refusals', () => {
  test('each has its status, and says when to try again', async () => {
    harness.publisher.update({
      models: [
        makeModel(),
        makeModel({ name: 'onnx', revisions: [makeRevision({ runtime: 'onnx' })] }),
        makeModel({ name: 'full', queue: { requests: 0, bytes: 0 } }),
        makeModel({
          name: 'failed',
          revisions: [makeRevision({ state: 'Failed', reason: 'no é' })],
        }),
      ],
    });
    await harness.activator.ready;
    const cases: [Record<string, string>, number, RegExp, string[]][] = [
      [{ 'rouse-model': 'none' }, status.NOT_FOUND, /no model "none"/, []],
      [
        { 'rouse-model': 'digits', 'rouse-hold': '0' },
        status.UNAVAILABLE,
        /does not wait/,
        ['1000'],
      ],
      [{ 'rouse-model': 'digits', 'rouse-hold': 'soon' }, status.INVALID_ARGUMENT, /duration/, []],
      [
        { 'rouse-model': 'digits', 'rouse-hold': '100ms' },
        status.DEADLINE_EXCEEDED,
        /waited/,
        ['1000'],
      ],
      [{ 'rouse-model': 'onnx' }, status.UNIMPLEMENTED, /runtime onnx/, []],
      [{ 'rouse-model': 'full' }, status.UNAVAILABLE, /overloaded/, ['1000']],
      [{ 'rouse-model': 'failed' }, status.FAILED_PRECONDITION, /no é/, ['30000']],
    ];
    for (const [fields, code, details, pushback] of cases) {
      const { error } = await callUnary(client, metadata(fields));
      expect(error, JSON.stringify(fields)).toMatchObject({ code });
      expect(error?.details).toMatch(details);
      expect(error?.metadata.get('grpc-retry-pushback-ms')).toEqual(pushback);
    }
    const nowhere = await callUnary(client, new Metadata());
    expect(nowhere.error?.code).toBe(status.NOT_FOUND);
    // A stream that is still being sent is told as well.
    const open = upload(client, metadata({ 'rouse-model': 'none' }));
    open.stream.write(Buffer.from('more follows'));
    await expect(open.answer).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
});
