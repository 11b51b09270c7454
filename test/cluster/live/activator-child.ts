import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { makeGenericClientConstructor, Metadata, credentials } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { placeActivator, scaleActivator } from '#test/cluster/place-activator.ts';
import { until } from '#test/until.ts';
import { killAutoscaler, kubectl } from './inside/kubectl.ts';
import { playNamed } from './inside/play.ts';

/** Run in the box: one scenario, by name; prints as JSON what it saw. Requests go where an ingress sends them. */

interface Answer {
  readonly status: number;
  readonly cold: string | undefined;
  readonly body: string;
}

const SYSTEM = ['--namespace', 'knative-serving'];
const SERVICE = ['service', 'activator-service', ...SYSTEM];
const ADDRESS = await kubectl('get', ...SERVICE, '--output', 'jsonpath={.spec.clusterIP}');
/** Longer than the activator serves on after SIGTERM. */
const PAST_THE_END_MS = 55_000;
const EVERY_MS = 50;

function fieldsOf(service: string): Record<string, string> {
  return {
    'Knative-Serving-Namespace': 'default',
    'Knative-Serving-Revision': `${service}-00001`,
  };
}

/** A Service of one revision, which every request reaches through the activator. */
async function make(
  name: string,
  {
    image,
    concurrency = 0,
    port = 'http1',
    maxScale = '4',
  }: {
    image: string;
    concurrency?: number;
    port?: string;
    maxScale?: string;
  },
): Promise<void> {
  const annotations = {
    'autoscaling.knative.dev/window': '6s',
    'autoscaling.knative.dev/target-burst-capacity': '-1',
    'autoscaling.knative.dev/max-scale': maxScale,
  };
  const ports = [{ name: port, containerPort: 8080 }];
  const requests = { cpu: '10m', memory: '10Mi' };
  const container = { image: `dev.local/${image}:v1`, ports, resources: { requests } };
  const spec = { containerConcurrency: concurrency, containers: [container] };
  const service = {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name },
    spec: { template: { metadata: { annotations }, spec } },
  };
  await kubectl('create', '--filename', await written(name, service));
  await kubectl('wait', '--timeout=120s', '--for=create', `revision/${name}-00001`);
  await kubectl('wait', '--timeout=240s', '--for=condition=Ready', `revision/${name}-00001`);
}

async function written(name: string, object: unknown): Promise<string> {
  const file = `/tmp/${name}-${process.pid}.json`;
  await writeFile(file, JSON.stringify(object));
  return file;
}

async function ask(service: string, path = '/'): Promise<Answer> {
  const headers = fieldsOf(service);
  const sent = request({ host: ADDRESS, port: 80, path, headers, agent: false });
  sent.end();
  const [response] = await once(sent, 'response');
  let body = '';
  for await (const piece of response) body += String(piece);
  return { status: response.statusCode, cold: response.headers['rouse-cold-start'], body };
}

const podsOf = (service: string): string[] => [
  'pods',
  '--selector',
  `serving.knative.dev/revision=${service}-00001`,
];

async function untilAsleep(service: string): Promise<void> {
  await kubectl('wait', '--timeout=240s', '--for=delete', ...podsOf(service));
}

/** What became of many, each by its status or its error. */
async function countAll(asked: readonly Promise<Answer>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const each of asked) {
    const what = await each.then(({ status }) => String(status), String);
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

/** Requests for as long as `during` takes, and no longer than `most`. */
async function keepAsking(service: string, path: string, during: Promise<unknown>) {
  const asked: Promise<Answer>[] = [];
  let isOver = false;
  const over = during.finally(() => (isOver = true));
  while (!isOver) {
    asked.push(ask(service, path));
    await pause(EVERY_MS);
  }
  await over;
  return await countAll(asked);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A hundred at once for what takes one at a time, from zero; and to zero again. */
async function burst(): Promise<unknown> {
  await make('burst', { image: 'autoscale', concurrency: 1 });
  await untilAsleep('burst');
  const asked = Array.from({ length: 100 }, () => ask('burst', '/?sleep=100'));
  const first = await Promise.race(asked);
  let most = 0;
  const ready = ['--output', 'jsonpath={.status.actualReplicas}'];
  const counts = countAll(asked);
  await until('it is scaled by what the activator says', async () => {
    most = Math.max(most, Number(await kubectl('get', 'revision', 'burst-00001', ...ready)));
    if (most < 2) void ask('burst', '/?sleep=1000').catch(() => {});
    return most >= 2;
  });
  const seen = { counts: await counts, cold: first.cold, scaled: most >= 2 };
  await untilAsleep('burst');
  const { status, cold } = await ask('burst');
  return { ...seen, again: { status, cold } };
}

const identity = (bytes: Buffer): Buffer => bytes;
const PING = {
  path: '/ping.PingService/Ping',
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
} as const;

/** From zero, by HTTP/2 all the way. */
async function grpc(): Promise<unknown> {
  await make('pings', { image: 'grpc-ping', port: 'h2c' });
  await untilAsleep('pings');
  const Client = makeGenericClientConstructor({ ping: PING }, 'Ping');
  const client = new Client(`${ADDRESS}:81`, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fieldsOf('pings'))) metadata.set(name, value);
  const message = Buffer.from('\n\x04ping');
  const answer = await new Promise<string>((resolve, reject) => {
    client.makeUnaryRequest(PING.path, identity, identity, message, metadata, (error, value) => {
      if (error) reject(error);
      else resolve(String(value));
    });
  });
  client.close();
  return { said: answer.includes('ping') };
}

/** From zero, there and back. */
async function webSocket(): Promise<unknown> {
  await make('sockets', { image: 'wsserver' });
  await untilAsleep('sockets');
  const socket = new WebSocket(`ws://${ADDRESS}/`, { headers: fieldsOf('sockets') });
  await once(socket, 'open');
  socket.send('hello');
  const [data] = await once(socket, 'message');
  socket.close();
  await once(socket, 'close');
  return { said: String(data) };
}

/** The autoscaler is lost while requests come, of what is awake and of what sleeps. */
async function autoscaler(): Promise<unknown> {
  await make('awake', { image: 'autoscale' });
  await make('asleep', { image: 'autoscale' });
  await untilAsleep('asleep');
  await ask('awake');
  const killed = killAutoscaler();
  const woken = ask('asleep');
  const counts = await keepAsking('awake', '/?sleep=10', killed);
  return { counts: Object.keys(counts), woken: (await woken).status };
}

const run = (args: readonly string[]): Promise<string> => kubectl(...args);

async function findActivators(): Promise<string[]> {
  const running = ['--field-selector', 'status.phase=Running', '--output', 'name'];
  const names = await kubectl('get', 'pods', ...SYSTEM, '--selector', 'app=activator', ...running);
  return names.split('\n').filter((name) => name !== '');
}

/** One of two activators ends, with long requests and short ones on their way. */
async function ending(): Promise<unknown> {
  await scaleActivator(run, 2);
  await make('lasting', { image: 'autoscale' });
  await ask('lasting');
  const long = Array.from({ length: 20 }, () => ask('lasting', '/?sleep=5000'));
  const [one = ''] = await findActivators();
  const ended = Promise.all([kubectl('delete', ...SYSTEM, one), pause(PAST_THE_END_MS)]);
  const counts = await keepAsking('lasting', '/?sleep=20', ended);
  await scaleActivator(run, 1);
  return { long: await countAll(long), short: Object.keys(counts) };
}

async function restore(): Promise<unknown> {
  const names = ['burst', 'pings', 'sockets', 'awake', 'asleep', 'lasting'];
  await kubectl('delete', 'ksvc', '--ignore-not-found', ...names);
  await placeActivator(run, 'stock');
  return 'done';
}

await playNamed({
  burst,
  grpc,
  webSocket,
  autoscaler,
  ending,
  restore,
});
