import { kubectl, untilObject } from '#test/cluster/live/inside/kubectl.ts';
import { say } from '../measure/results.ts';
import { findActivators } from './activators.ts';
import { measureCold } from './cold.ts';
import { measureHeld } from './held.ts';
import { applyService, NAMESPACE, podsByService, revisionOf } from './objects.ts';
import type { Extent } from './options.ts';
import type { Measured } from './report.ts';
import { measureWarm } from './warm.ts';

/** Run in the box of the cluster, with an `Extent` as JSON: prints what was measured as JSON. */

const APP = { image: 'dev.local/helloworld:v1' };
/** More than any node here has. */
const TOO_LARGE = { ...APP, resources: { requests: { cpu: '1000' } } };
const SHORT = { window: '6s', 'target-burst-capacity': '-1' };

async function untilReady(service: string): Promise<void> {
  const revision = `revision/${revisionOf(service)}`;
  await untilObject('--namespace', NAMESPACE, '--for=condition=Ready', revision);
}

async function measure(extent: Extent): Promise<Measured> {
  await kubectl('create', 'namespace', NAMESPACE);
  const activators = await findActivators('dev.local/rouse:v1');
  await applyService('warm', { 'min-scale': '1', 'target-burst-capacity': '-1' }, APP);
  await untilReady('warm');
  const pod = (await podsByService()).get('warm')?.[0]?.status.podIP ?? '';
  say(`warm: ${extent.rounds} rounds of ${extent.seconds} s`);
  const warm = await measureWarm(activators, 'warm', pod, extent);
  await kubectl('delete', '--namespace', NAMESPACE, 'services.serving.knative.dev/warm');

  await applyService('held', SHORT, TOO_LARGE);
  say(`held: ${extent.held} requests`);
  const held = [];
  for (const each of activators) held.push(await measureHeld(each, 'held', extent.held));
  await kubectl('delete', '--namespace', NAMESPACE, 'services.serving.knative.dev/held');

  const services = Array.from({ length: extent.services }, (_, index) => `cold-${index}`);
  for (const service of services) await applyService(service, SHORT, APP);
  for (const service of services) await untilReady(service);
  say(`cold: ${extent.wakes} wakes each, of ${extent.services} services`);
  return { warm, held, cold: await measureCold(activators, services, extent.wakes) };
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '{}'))));
