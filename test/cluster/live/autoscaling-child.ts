import { revisionName } from '#knative/manifests/names.ts';
import type { Workload } from '#runtime/runtime.ts';
import { kubectl, killAutoscaler, setAutoscaler } from './inside/kubectl.ts';
import { beginRuntime, type InsideRuntime, makeWorkload } from './inside/runtime.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: one scenario, by name; prints as JSON what it saw. */

type Scenario = (inside: InsideRuntime, made: Workload) => Promise<unknown>;

const GROUP = 'autoscaling.knative.dev';

async function annotationsOf(kind: string, made: Workload): Promise<Record<string, string>> {
  const text = await kubectl('get', kind, revisionName(made), '--output', 'json');
  const { metadata } = JSON.parse(text) as { metadata: { annotations?: Record<string, string> } };
  return metadata.annotations ?? {};
}

async function namesOf(kind: string, made: Workload): Promise<string[]> {
  const selector = `serving.knative.dev/revision=${revisionName(made)}`;
  const names = await kubectl('get', kind, '--selector', selector, '--output', 'name');
  return names.split('\n').filter((name) => name !== '');
}

/** What the PodAutoscaler has, in the end: what it is told by the Revision may take a moment. */
async function untilCarried(made: Workload, wanted: Record<string, string | undefined>) {
  await untilCluster(`the PodAutoscaler has ${JSON.stringify(wanted)}`, async () => {
    const seen = await annotationsOf('podautoscaler', made);
    return Object.entries(wanted).every(([name, value]) => seen[`${GROUP}/${name}`] === value);
  });
}

/** Through all orders there are, the first pod stays, and the Deployment makes no other kind of pods. */
async function steer(inside: InsideRuntime, made: Workload): Promise<unknown> {
  await inside.ready(made, { min: 0, max: 4, desired: 1 });
  const [first] = await namesOf('pods', made);
  await untilCarried(made, { 'min-scale': '1', 'target-burst-capacity': undefined });
  await inside.ready(made, { min: 0, max: 4, desired: 3, target: 0.9 });
  await untilCarried(made, { 'min-scale': '3', 'target-utilization-percentage': '90' });
  await inside.ready(made, { min: 1, max: 2, desired: 2, target: 0.5 });
  await untilCarried(made, { 'max-scale': '2', 'target-utilization-percentage': '50' });
  const kept = (await namesOf('pods', made)).includes(first ?? '');
  const kinds = (await namesOf('replicasets', made)).length;
  await kubectl('annotate', 'revision', revisionName(made), 'example.com/of=others');
  await untilCluster('another annotation starts all pods anew', async () => {
    return (await namesOf('replicasets', made)).length > kinds;
  });
  return { kept, kinds };
}

/** More are ready than may be: they go, without a wait for a window. */
async function lower(inside: InsideRuntime, made: Workload): Promise<unknown> {
  await inside.ready(made, { min: 0, max: 4, desired: 3 });
  await inside.ready(made, { min: 0, max: 1, desired: 1 });
  return (await annotationsOf('podautoscaler', made))[`${GROUP}/max-scale`];
}

async function wake(inside: InsideRuntime, made: Workload): Promise<unknown> {
  await inside.ready(made, { min: 0, max: 4, desired: 1 });
  await inside.asleep(made);
  await untilCluster('its pod is gone', () => inside.runtime.instances(made.key).length === 0);
  await untilCarried(made, { 'target-burst-capacity': '-1', window: undefined });
  await killAutoscaler();
  await inside.ready(made, { min: 0, max: 4, desired: 1 });
  await untilCarried(made, { 'target-burst-capacity': undefined });
  return 'woken';
}

/** Others write to the PodAutoscaler, and take away what they wrote to the Revision. */
async function revert(inside: InsideRuntime, made: Workload): Promise<unknown> {
  await inside.ready(made, { min: 0, max: 4, desired: 1 });
  const name = revisionName(made);
  await kubectl('annotate', '--overwrite', 'podautoscaler', name, `${GROUP}/min-scale=3`);
  await untilCarried(made, { 'min-scale': '1' });
  await kubectl('annotate', 'revision', name, `${GROUP}/panic-window-percentage=20`);
  await untilCarried(made, { 'panic-window-percentage': '20' });
  await kubectl('annotate', 'revision', name, `${GROUP}/panic-window-percentage-`);
  await untilCarried(made, { 'panic-window-percentage': undefined });
  // What Rouse steers is set again when others take it away.
  await kubectl('annotate', 'revision', name, `${GROUP}/min-scale-`);
  await untilCarried(made, { 'min-scale': '1' });
  return 'reverted';
}

/** The cluster's own defaults are all against it. */
async function defaults(inside: InsideRuntime, made: Workload): Promise<unknown> {
  const against = {
    'pod-autoscaler-class': `hpa.${GROUP}`,
    'scale-to-zero-pod-retention-period': '1h',
    'stable-window': '1h',
    'min-scale': '2',
    'initial-scale': '3',
  };
  await setAutoscaler(against);
  try {
    await inside.ready(made, { min: 0, max: 4, desired: 1 });
    const [first] = await namesOf('pods', made);
    await inside.asleep(made);
    return {
      began: first !== undefined,
      class: (await annotationsOf('podautoscaler', made))[`${GROUP}/class`],
    };
  } finally {
    await setAutoscaler(Object.fromEntries(Object.keys(against).map((key) => [key, null])));
  }
}

const SCENARIOS: Readonly<Record<string, Scenario>> = { steer, lower, wake, revert, defaults };

const [, , name = ''] = process.argv;
const inside = await beginRuntime();
try {
  const seen = await SCENARIOS[name]?.(inside, makeWorkload(`default/${name}/v1`));
  process.stdout.write(`${JSON.stringify(seen)}\n`);
} finally {
  await inside.runtime.routes.forget(`default/${name}`);
  await inside.close();
}
