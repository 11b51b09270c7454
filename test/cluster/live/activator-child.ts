import { once } from 'node:events';
import { request } from 'node:http';
import { makeGenericClientConstructor, Metadata, credentials } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { NODE_NAME } from '#test/cluster/network.ts';
import { placeActivator, scaleActivator } from '#test/cluster/place-activator.ts';
import { type ActivatorPod, findActivators, heldBy } from './inside/activators.ts';
import { applyObject, killAutoscaler, kubectl, untilObject } from './inside/kubectl.ts';
import { killProgramOf } from './inside/pods.ts';
import { playNamed } from './inside/play.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: one scenario, by name; prints as JSON what it saw. Requests go where an ingress sends them. */

interface Answer {
  readonly status: number;
  readonly cold: string | undefined;
  readonly body: string;
}

interface Made {
  readonly image: string;
  readonly concurrency?: number;
  readonly port?: string;
  readonly maxScale?: string;
}

const SYSTEM = ['--namespace', 'knative-serving'];
const SERVICE = ['service', 'activator-service', ...SYSTEM];
const ADDRESS = await kubectl('get', ...SERVICE, '--output', 'jsonpath={.spec.clusterIP}');
const EVERY_MS = 50;
/** Requests that are held at once. */
const MANY = 500;

/** One pod of it takes ten at a time, and there is no second one. */
const NARROW: Made = { image: 'autoscale', concurrency: 10, maxScale: '1' };
/** Each sleeps until its own scenario. */
const SERVICES: Readonly<Record<string, Made>> = {
  burst: { image: 'autoscale', concurrency: 1 },
  pings: { image: 'grpc-ping', port: 'h2c' },
  sockets: { image: 'wsserver' },
  awake: { image: 'autoscale' },
  asleep: { image: 'autoscale' },
  killed: NARROW,
  ended: NARROW,
};

function fieldsOf(service: string): Record<string, string> {
  return {
    'Knative-Serving-Namespace': 'default',
    'Knative-Serving-Revision': `${service}-00001`,
  };
}

/** A Service of one revision, which every request reaches through the activator. */
async function make(
  name: string,
  { image, concurrency = 0, port = 'http1', maxScale = '4' }: Made,
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
  await applyObject({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name },
    spec: { template: { metadata: { annotations }, spec } },
  });
  await untilObject('--for=create', `revision/${name}-00001`);
  await untilObject('--for=condition=Ready', `revision/${name}-00001`);
}

/** All of them at once: most of it is waiting. */
async function prepare(): Promise<unknown> {
  await Promise.all(
    Object.entries(SERVICES).map(async ([name, made]) => {
      await make(name, made);
      await untilAsleep(name);
    }),
  );
  return 'done';
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
  await untilObject('--for=delete', ...podsOf(service));
}

/** What became of one: its status or its error. */
async function endOf(asked: Promise<Answer>): Promise<string> {
  return await asked.then(
    ({ status }) => String(status),
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
}

function count(ends: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const end of ends) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}

/** What became of many. */
async function countAll(asked: readonly Promise<Answer>[]): Promise<Record<string, number>> {
  return count(await Promise.all(asked.map(endOf)));
}

/** Requests for as long as `during` takes. */
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

/** A hundred at once for what takes one at a time, from zero. */
async function burst(): Promise<unknown> {
  const asked = Array.from({ length: 100 }, () => ask('burst', '/?sleep=100'));
  const first = await Promise.race(asked);
  let most = 0;
  const ready = ['--output', 'jsonpath={.status.actualReplicas}'];
  const counts = countAll(asked);
  await untilCluster('it is scaled by what the activator says', async () => {
    most = Math.max(most, Number(await kubectl('get', 'revision', 'burst-00001', ...ready)));
    if (most < 2) void ask('burst', '/?sleep=1000').catch(() => {});
    return most >= 2;
  });
  return { counts: await counts, cold: first.cold, scaled: most >= 2 };
}

/** What was scaled up has nothing to do any more. */
async function again(): Promise<unknown> {
  await untilAsleep('burst');
  const { status, cold } = await ask('burst');
  return { status, cold };
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
  await ask('awake');
  const killed = killAutoscaler();
  const woken = ask('asleep');
  const counts = await keepAsking('awake', '/?sleep=10', killed);
  return { counts: Object.keys(counts), woken: (await woken).status };
}

const run = (args: readonly string[]): Promise<string> => kubectl(...args);

interface Held {
  /** What became of each, in the order of their ends. */
  readonly ends: string[];
  /** All have ended. */
  readonly all: Promise<unknown>;
}

/** Requests that no node has room for, until all of them are held. */
async function hold(service: string, activators: readonly ActivatorPod[]): Promise<Held> {
  await kubectl('cordon', NODE_NAME);
  const ends: string[] = [];
  const asked: Promise<unknown>[] = [];
  const askOnce = async (): Promise<void> => void ends.push(await endOf(ask(service)));
  // A new one is unknown to those who ask until the node's rules have it.
  await untilCluster('each holds some', async () => {
    asked.push(askOnce());
    return (await Promise.all(activators.map(heldBy))).every((held) => held > 0);
  });
  while (asked.length < MANY) asked.push(askOnce());
  await untilCluster(`${MANY} are held`, async () => {
    const held = await Promise.all(activators.map(heldBy));
    return held.reduce((sum, each) => sum + each, 0) === MANY;
  });
  return { ends, all: Promise.all(asked) };
}

/** One of two activators is killed while both hold requests; it is started again by itself. */
async function killed(): Promise<unknown> {
  await scaleActivator(run, 2);
  const activators = await findActivators();
  const { ends, all } = await hold('killed', activators);
  const [victim, other] = activators;
  if (!victim || !other) throw new Error('there are not two activators');
  const [lost, kept] = [await heldBy(victim), await heldBy(other)];
  killProgramOf(victim.name);
  await untilCluster('those that it held have ended', () => ends.length >= lost);
  const left = await heldBy(other);
  await kubectl('uncordon', NODE_NAME);
  await all;
  const pod = [...SYSTEM, `pod/${victim.name}`];
  await untilObject(...pod, '--for=jsonpath={.status.containerStatuses[0].restartCount}=1');
  await untilObject(...pod, '--for=condition=Ready');
  return {
    both: lost > 0 && kept > 0,
    lost: Object.keys(count(ends.slice(0, lost))),
    // While nothing could be served.
    stayed: left === kept,
    rest: Object.keys(count(ends.slice(lost))),
    after: await countAll(Array.from({ length: 100 }, () => ask('killed'))),
  };
}

/** One of two activators is told to end while both hold requests, with long ones and short ones on their way. */
async function ending(): Promise<unknown> {
  const activators = await findActivators();
  await ask('awake');
  const { ends, all } = await hold('ended', activators);
  const long = Array.from({ length: 20 }, () => ask('awake', '/?sleep=5000'));
  const [one] = activators;
  if (!one) throw new Error('there is no activator');
  // It serves on for most of a minute, and for those that it holds.
  const gone = kubectl('delete', ...SYSTEM, `pod/${one.name}`);
  const room = untilLeft(one).then(() => kubectl('uncordon', NODE_NAME));
  const short = await keepAsking('awake', '/?sleep=20', Promise.all([gone, room, all]));
  return { long: await countAll(long), short: Object.keys(short), held: count(ends) };
}

/** New requests do not come to it any more. */
async function untilLeft({ ip }: ActivatorPod): Promise<void> {
  const slices = [
    'endpointslices',
    ...SYSTEM,
    '--selector',
    'kubernetes.io/service-name=activator-service',
  ];
  const path = '{range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]} {end}';
  await untilCluster('new requests go to the other one', async () => {
    const addresses = await kubectl('get', ...slices, '--output', `jsonpath=${path}`);
    return !addresses.split(' ').includes(ip);
  });
}

async function restore(): Promise<unknown> {
  await kubectl('uncordon', NODE_NAME);
  await kubectl('delete', 'ksvc', '--ignore-not-found', ...Object.keys(SERVICES));
  await scaleActivator(run, 1);
  await placeActivator(run, 'stock');
  return 'done';
}

await playNamed({
  prepare,
  burst,
  again,
  grpc,
  webSocket,
  autoscaler,
  killed,
  ending,
  restore,
});
