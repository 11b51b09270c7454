import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type ClientHttp2Session,
  constants,
  createServer as createHttp2,
  type ServerHttp2Session,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { RoutingInstance } from '#domain/routing.ts';
import { createRandom } from '#test/fuzz/random.ts';
import { listening } from '#test/listening.ts';
import { makeInstance, makeModel, makeRevision } from '../harness.ts';
import { openSession } from '../http2/client.ts';
import { useHarness } from '../use-harness.ts';

/** However a request ends, at whatever moment: what it held and where it was counted is given back. */

const SEED = Date.now() % 1_000_000_000;
const CALLERS = 400;
/** So small that some are refused for it. */
const HELD = 512 * 1024;
const GAUGES = [
  'rouse_held_bytes',
  'rouse_queue_bytes',
  'rouse_queue_depth',
  'rouse_requests_in_flight',
  'rouse_client_connections',
];

const harness = useHarness({ heldBytes: HELD });
const random = createRandom(SEED, 0);

const limits = { concurrency: 3, timeouts: { hold: 300, run: 300, idle: 0, drain: 1000 } };
const awake = makeModel({ revisions: [makeRevision(limits)] });
const asleep = makeModel({
  name: 'asleep',
  queue: { requests: 40, bytes: HELD / 4 },
  revisions: [makeRevision(limits)],
});

/** What an instance does with a request, by chance. */
function behave(incoming: IncomingMessage, response: ServerResponse): void {
  const answer = (): void => void response.end('x'.repeat(random.int(40_000)));
  const ways = [
    () => incoming.on('end', answer).resume(),
    () => incoming.on('end', () => setTimeout(answer, random.int(20))).resume(),
    answer,
    () => incoming.socket.destroy(),
    () => void response.write('begun', () => response.destroy()),
    () => response.writeEarlyHints({ link: '</x>; rel=preload' }),
    () => undefined,
  ];
  random.pick(ways)();
}

function path(): string {
  const paths = [
    '/models/default/digits/x',
    '/models/default/digits/x',
    '/models/default/asleep/x',
    '/v1/chat/completions',
    '/v2/models/asleep/infer',
    '/nowhere',
  ];
  return random.pick(paths);
}

const body = (): string =>
  JSON.stringify({
    model: random.int(2) ? 'digits' : 'asleep',
    x: 'y'.repeat(random.int(90_000)),
  });

/** A request of HTTP/1.1, or the beginning of one, or what looks like one. */
function request(): string {
  const content = body();
  const hold = random.int(3) === 0 ? `Rouse-Hold: ${random.int(100)}ms\r\n` : '';
  const expectation = random.int(5) === 0 ? 'Expect: 100-continue\r\n' : '';
  const head = `POST ${path()} HTTP/1.1\r\nHost: h\r\n${hold}${expectation}`;
  const size = content.length.toString(16);
  const whole = random.pick([
    `GET ${path()} HTTP/1.1\r\nHost: h\r\n${hold}\r\n`,
    `${head}Content-Length: ${content.length}\r\n\r\n${content}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${size}\r\n${content}\r\n0\r\nX-T: 1\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${size}\r\n${content}\r\nnonsense\r\n`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0\0\0\x04\0\0\0\0\0'.repeat(random.int(3))}${content}`,
    `GET ${path()} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nahead`,
  ]);
  return random.int(3) === 0 ? whole.slice(0, random.int(whole.length)) : whole;
}

const pause = (most: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, random.int(most));
  });

async function callByHttp1(): Promise<void> {
  const socket: Socket = connect({ port: harness.port, host: '127.0.0.1', allowHalfOpen: true });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => {});
  if (random.int(4) > 0) socket.resume();
  for (let count = random.int(4); count >= 0; count -= 1) {
    socket.write(request());
    if (random.int(2)) await pause(30);
  }
  await pause(200);
  const ends = [() => socket.end(), () => socket.destroy(), () => socket.resetAndDestroy()];
  random.pick(ends)();
  socket.resume();
  await pause(200);
  socket.destroy();
  await closed;
}

async function callByHttp2(): Promise<void> {
  const session: ClientHttp2Session = await openSession(harness.port);
  for (let count = random.int(6); count >= 0 && !session.closed; count -= 1) {
    const isGrpc = random.int(4) === 0;
    const type = isGrpc ? { 'content-type': 'application/grpc', 'grpc-timeout': '80m' } : {};
    const inference = '/inference.GRPCInferenceService/ModelInfer';
    const target = isGrpc && random.int(2) ? inference : path();
    const stream = session.request({ ':path': target, ':method': 'POST', ...type });
    stream.on('error', () => {});
    if (random.int(4) > 0) stream.resume();
    stream.write(body());
    random.pick([
      () => stream.end(body()),
      () => setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), random.int(60)),
      () => undefined,
    ])();
    await pause(20);
  }
  await pause(200);
  const closed = session.destroyed ? Promise.resolve() : once(session, 'close');
  session.destroy();
  await closed;
}

/** An instance that speaks HTTP/2 and nothing else. */
async function startHttp2(): Promise<number> {
  const server = createHttp2((incoming, response) => {
    for (const each of [incoming, response, incoming.stream]) each.on('error', () => {});
    behave(incoming as never, response as never);
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('sessionError', () => {});
  const port = await listening(server);
  harness.teardown(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return port;
}

const title = (what: string): string =>
  `nothing is left of ${CALLERS} callers of instances that speak ${what} (seed ${SEED})`;

async function storm(h2c: true | undefined): Promise<void> {
  const start = async (): Promise<number> =>
    h2c ? await startHttp2() : (await harness.startInstance(behave)).port;
  const spoken = h2c ? { h2c } : {};
  const at = (port: number) => ({ address: { node: 'test', host: '127.0.0.1', port, ...spoken } });
  const [port, other] = [await start(), await start()];
  const sleeper = makeInstance(other, { ...at(other), revision: 'default/asleep/v1' });
  const instances = [makeInstance(port, at(port))];
  harness.publisher.update({ models: [awake, asleep], instances });
  await harness.activator.ready;
  const callers = Array.from({ length: CALLERS }, async (__, i) => {
    await pause(2000);
    await (i % 3 === 0 ? callByHttp2() : callByHttp1());
  });
  await Promise.all([...callers, comeAndGo(sleeper)]);
  for (const gauge of GAUGES) {
    await expect.poll(() => harness.gauge(gauge), { message: gauge }).toBe(0);
  }
}

async function comeAndGo(instance: RoutingInstance): Promise<void> {
  for (let round = 0; round < 8; round += 1) {
    await pause(400);
    const id = `sleeper-${round}`;
    harness.publisher.update({ instances: [{ ...instance, id }] });
    await pause(400);
    harness.publisher.update({ removedInstances: [id] });
  }
}

test(title('HTTP/1'), () => storm(undefined));

test(title('HTTP/2'), () => storm(true));
