import { kubectl } from './inside/kubectl.ts';
import { beginPlatform, type InsidePlatform, type ModelSpec } from './inside/platform.ts';
import { playNamed } from './inside/play.ts';
import { makeSignals, type Prometheus, startPrometheus } from './inside/prometheus.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: what policies decide, as the cluster shows it; one scenario, by name. */

type Scenario = (platform: InsidePlatform) => Promise<unknown>;

/** At once, as callers do. */
const CALLS = 20;

interface Rollout {
  readonly phase: string;
  readonly why: string;
}

/** Of the Revision that takes all traffic, what its PodAutoscaler is told. */
async function minScaleOf(model: string): Promise<string> {
  const least = 'jsonpath={.items[0].metadata.annotations.autoscaling\\.knative\\.dev/min-scale}';
  const selector = `rouse.dev/model=${model}`;
  return await kubectl('get', 'podautoscalers', '--selector', selector, '--output', least);
}

async function untilMinScale(model: string, least: string): Promise<void> {
  await untilCluster(
    `its PodAutoscaler has ${least}`,
    async () => (await minScaleOf(model)) === least,
  );
}

/** The blend of four and one, rounded up: the mean of both first, then nearer to the four. */
async function weighted(platform: InsidePlatform): Promise<unknown> {
  const apply = (weights: readonly [number, number]) =>
    platform.apply('weighted', { scaling: { max: 6, signals: makeSignals(weights) } });
  await apply([1, 1]);
  await platform.ask('weighted');
  await untilMinScale('weighted', '3');
  await apply([4, 1]);
  await untilMinScale('weighted', '4');
  await platform.untilModel(
    'weighted',
    ({ status }) => status.instances.filter(({ state }) => state === 'ready').length === 4,
  );
  const { stdout } = await platform.rouse('why', 'weighted');
  return /ScaleDecided v1 +4 instances: (.*)/.exec(stdout)?.[1];
}

/** What Knative's own addresses do. */
async function splitOf(model: string): Promise<string[]> {
  const row = '{range .spec.traffic[*]}{.revisionName} {.percent}{"\\n"}{end}';
  const rows = await kubectl('get', 'ksvc', model, '--output', `jsonpath=${row}`);
  return rows.split('\n').map((each) => each.replace(/-[0-9a-f]{10} /, ' '));
}

async function untilSplit(model: string, row: string): Promise<void> {
  await untilCluster(`its Service has ${row}`, async () => (await splitOf(model)).includes(row));
}

async function rolloutOf(platform: InsidePlatform, model: string): Promise<Rollout> {
  const path = `/api/v1/namespaces/default/models/${model}/rollout`;
  return (await (await fetch(platform.control + path)).json()) as Rollout;
}

/** Whatever the answer is. */
async function call({ requests }: InsidePlatform, model: string): Promise<void> {
  await (await fetch(`${requests}/models/default/${model}/`)).arrayBuffer();
}

/** A second revision comes in beside the first, and is called until it is judged. */
async function judge(
  platform: InsidePlatform,
  model: string,
  revision: ModelSpec['revision'],
): Promise<unknown> {
  const rollout = {
    steps: [50],
    interval: '2s',
    minSamples: 50,
    metrics: [{ metric: 'success', margin: 0.1 }],
  };
  const spec = { scaling: { min: 1 }, more: { rollout } };
  await platform.apply(model, spec);
  await platform.apply(model, { ...spec, revision: { name: 'v2', ...revision } });
  await untilSplit(model, `${model}-v2 50`);
  let last = await rolloutOf(platform, model);
  while (last.phase === 'Running') {
    await Promise.all(Array.from({ length: CALLS }, () => call(platform, model)));
    last = await rolloutOf(platform, model);
  }
  await untilSplit(model, last.phase === 'Promoted' ? `${model}-v2 100` : `${model}-v1 100`);
  return { phase: last.phase, why: last.why };
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  weighted,
  promoted: (platform) => judge(platform, 'promoted', { env: { NAME: 'second' } }),
  rolledBack: (platform) =>
    judge(platform, 'rolled-back', {
      // A proxy to nowhere: it starts, and fails each request.
      source: 'dev.local/httpproxy:v1',
      env: { TARGET_HOST: '127.0.0.1:1' },
    }),
};
const MODELS = ['weighted', 'promoted', 'rolled-back'];

async function play(scenario: Scenario, { url }: Prometheus): Promise<unknown> {
  const platform = await beginPlatform({ args: ['--prometheus-url', url] });
  try {
    return await scenario(platform);
  } catch (error) {
    process.stderr.write(platform.output());
    throw error;
  } finally {
    for (const model of MODELS) await platform.remove(model);
    await kubectl('wait', 'ksvc', '--all', '--for=delete', '--timeout=120s');
    await platform.close();
  }
}

const prometheus = await startPrometheus();
try {
  const each = Object.entries(SCENARIOS).map(
    ([name, scenario]) => [name, () => play(scenario, prometheus)] as const,
  );
  await playNamed(Object.fromEntries(each));
} finally {
  await prometheus.close();
}
