import { request } from 'node:https';
import { findForbidden } from './inside/audit.ts';
import { installerOf, SYSTEM } from './inside/installers.ts';
import { applyObject, kubectl } from './inside/kubectl.ts';
import { makeModel } from './inside/platform.ts';
import { makeSignals, startPrometheus } from './inside/prometheus.ts';
import { untilCluster } from './inside/within.ts';

/**
 * Run in the box: Rouse is installed with its metrics API, and HorizontalPodAutoscalers follow it: Knative's, of a model of
 * class hpa, and one of a user; prints as JSON what was seen. `argv[2]`: by what it is installed, `argv[3]`: the image.
 */

const [, , how = '', image = ''] = process.argv;
const API = 'v1beta2.custom.metrics.k8s.io';
const ACCOUNT = `system:serviceaccount:${SYSTEM}:rouse`;

const install = installerOf(how);
const prometheus = await startPrometheus();

function makeHello(weights: readonly [number, number]): unknown {
  return makeModel('hello', {
    revision: { autoscaler: 'hpa' },
    scaling: { min: 1, max: 6, signals: makeSignals(weights) },
  });
}

/** A user's own, for pods that Rouse knows nothing of. */
function makePlain(): object[] {
  const labels = { app: 'plain' };
  const metadata = { name: 'plain', namespace: 'default' };
  const containers = [{ name: 'hello', image: 'dev.local/helloworld:v1' }];
  const template = { metadata: { labels }, spec: { containers } };
  const describedObject = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Model', name: 'hello' };
  const metric = { name: 'rouse_wanted_instances' };
  const target = { type: 'AverageValue', averageValue: '1' };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata,
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'plain' },
        minReplicas: 1,
        maxReplicas: 8,
        metrics: [{ type: 'Object', object: { metric, describedObject, target } }],
      },
    },
  ];
}

async function nameOfHpa(): Promise<string> {
  const selector = ['--selector', 'rouse.dev/model=hello', '--output', 'name'];
  return await kubectl('get', 'horizontalpodautoscalers', ...selector);
}

async function untilWanted(hpa: string, count: number): Promise<void> {
  const wanted = ['--output', 'jsonpath={.status.desiredReplicas} {.status.currentReplicas}'];
  await untilCluster(
    `${hpa} comes to ${count}`,
    async () => (await kubectl('get', hpa, ...wanted)) === `${count} ${count}`,
  );
}

/** Straight to the Service, as anybody in the cluster could. */
async function askAsStranger(): Promise<number | undefined> {
  const service = ['service', 'rouse-metrics', '--namespace', SYSTEM];
  const host = await kubectl('get', ...service, '--output', 'jsonpath={.spec.clusterIP}');
  const path =
    '/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/rouse_wanted_instances';
  const headers = { 'X-Remote-User': 'admin', 'X-Remote-Group': 'system:masters' };
  return await new Promise((done, reject) => {
    // Who it is, is not the question here.
    request({ host, path, headers, rejectUnauthorized: false }, (response) => {
      response.resume();
      done(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

async function use(): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const begun = new Date().toISOString();
  const env = { ROUSE_PROMETHEUS_URL: prometheus.url };
  await install.apply({ image, env, ephemeral: true, ingress: false, metrics: true });
  await kubectl('rollout', 'status', 'deployment/rouse', '--namespace', SYSTEM, '--timeout=180s');
  await kubectl('wait', `apiservice/${API}`, '--for=condition=Available', '--timeout=120s');
  await applyObject(makeHello([1, 1]));
  await kubectl('wait', 'models.rouse.dev/hello', '--for=condition=Ready', '--timeout=180s');
  await ask();
  const hpa = await nameOfHpa();
  await untilWanted(hpa, 3);
  const spec = [
    '--output',
    'jsonpath={.spec.metrics[0].pods.metric.name} {.spec.minReplicas} {.spec.maxReplicas}',
  ];
  seen['spec'] = await kubectl('get', hpa, ...spec);
  for (const object of makePlain()) await applyObject(object);
  await untilWanted('horizontalpodautoscaler.autoscaling/plain', 3);
  await applyObject(makeHello([4, 1]));
  await untilWanted(hpa, 4);
  await untilWanted('horizontalpodautoscaler.autoscaling/plain', 4);
  const active = 'jsonpath={.status.conditions[?(@.type=="ScalingActive")].reason}';
  seen['active'] = await kubectl('get', hpa, '--output', active);
  seen['found'] = (await kubectl('get', '--raw', '/apis/custom.metrics.k8s.io/v1beta2')).includes(
    '"pods/rouse_wanted_instances"',
  );
  seen['stranger'] = await askAsStranger();
  seen['forbidden'] = findForbidden(begun).filter((deed) => deed.startsWith(ACCOUNT));
  return seen;
}

/** Its signals steer once somebody has used it. */
async function ask(): Promise<void> {
  const service = ['service', 'rouse', '--namespace', SYSTEM];
  const host = await kubectl('get', ...service, '--output', 'jsonpath={.spec.clusterIP}');
  const { status } = await fetch(`http://${host}/models/default/hello/`);
  if (status !== 200) throw new Error(`hello answers ${status}`);
}

async function remove(): Promise<void> {
  const plain = ['deployment/plain', 'horizontalpodautoscaler/plain', '--ignore-not-found'];
  await kubectl('delete', ...plain);
  await kubectl('delete', 'models.rouse.dev', '--all', '--timeout=120s').catch(() => undefined);
  await install.remove();
  await prometheus.close();
}

try {
  const seen = await use();
  process.stdout.write(JSON.stringify(seen));
} catch (error) {
  const log = ['logs', '--namespace', SYSTEM, 'deployment/rouse', '--tail=50'];
  process.stderr.write(await kubectl(...log).catch(() => ''));
  process.stderr.write(await kubectl('describe', 'hpa').catch(() => ''));
  throw error;
} finally {
  await remove();
}
