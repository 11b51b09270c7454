import { kubectl, untilObject } from '#test/cluster/live/inside/kubectl.ts';
import { say } from '../measure/results.ts';
import { type ActivatorPod, findActivators } from './activators.ts';
import { type Cold, measureCold } from './cold.ts';
import { type Held, measureHeld } from './held.ts';
import { applyService, NAMESPACE, revisionOf } from './objects.ts';
import type { Extent } from './options.ts';
import { type PodWatch, watchPods } from './pods.ts';
import type { Measured } from './report.ts';
import { measureWarm, type Warm } from './warm.ts';

/** Run in the box of the cluster, with an `Extent` as JSON: prints what was measured as JSON. */

const APP = { image: 'dev.local/helloworld:v1' };
/** More than any node here has. */
const TOO_LARGE = { ...APP, resources: { requests: { cpu: '1000' } } };
const ONE = { 'max-scale': '1' };
const SHORT = { window: '6s', 'target-burst-capacity': '-1' };

async function untilReady(service: string): Promise<void> {
  const revision = `revision/${revisionOf(service)}`;
  await untilObject('--namespace', NAMESPACE, '--for=condition=Ready', revision);
}

async function measureAll(extent: Extent, pods: PodWatch): Promise<Measured> {
  const activators = await findActivators('dev.local/rouse-activator:v1');
  return {
    // First: memory that has been used is not given back, and takes what comes later.
    held: await held(activators, extent),
    warm: await warm(activators, extent, pods),
    cold: await cold(activators, extent, pods),
  };
}

async function warm(
  activators: readonly ActivatorPod[],
  extent: Extent,
  pods: PodWatch,
): Promise<Warm> {
  await applyService('warm', { ...ONE, 'min-scale': '1', 'target-burst-capacity': '-1' }, APP);
  await untilReady('warm');
  const [pod] = pods.of('warm');
  say(`warm: ${extent.rounds} rounds of ${extent.seconds} s`);
  const measured = await measureWarm(activators, 'warm', pod?.status?.podIP ?? '', extent);
  await removeService('warm');
  return measured;
}

async function held(activators: readonly ActivatorPod[], extent: Extent): Promise<Held[]> {
  await applyService('held', { ...ONE, ...SHORT }, TOO_LARGE);
  say(`held: ${extent.held} requests`);
  const measured: Held[] = [];
  for (const each of activators) measured.push(await measureHeld(each, 'held', extent.held));
  await removeService('held');
  return measured;
}

async function cold(
  activators: readonly ActivatorPod[],
  extent: Extent,
  pods: PodWatch,
): Promise<Cold> {
  const services = Array.from({ length: extent.services }, (_, index) => `cold-${index}`);
  for (const service of services) await applyService(service, SHORT, APP);
  for (const service of services) await untilReady(service);
  return await measureCold(activators, services, extent.wakes, pods);
}

async function removeService(name: string): Promise<void> {
  await kubectl('delete', '--namespace', NAMESPACE, `services.serving.knative.dev/${name}`);
}

async function measure(extent: Extent): Promise<Measured> {
  await kubectl('create', 'namespace', NAMESPACE);
  const pods = await watchPods();
  try {
    return await measureAll(extent, pods);
  } finally {
    await pods.close();
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}'))));
