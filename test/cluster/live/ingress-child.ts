import { once } from 'node:events';
import { request } from 'node:http';
import { applyObject, kubectl, PATIENCE, untilObject, untilRolledOut } from './inside/kubectl.ts';
import { playNamed } from './inside/play.ts';
import { untilCluster } from './inside/within.ts';

/** Run in the box: one scenario, by name; prints as JSON what it saw. */

const SYSTEM = ['--namespace', 'rouse-system'];
const INGRESS = ['deployment/rouse-ingress', ...SYSTEM];
const CLASS = 'rouse.ingress.networking.knative.dev';
const HOST = 'hello.example.com';
const EVERY_MS = 20;

/** The status, or what went wrong. Each on a connection of its own. */
async function ask(host: string, address: string): Promise<string> {
  const sent = request({ host: address, port: 80, headers: { host }, agent: false }).end();
  try {
    const [response] = await once(sent, 'response');
    for await (const _ of response) void _;
    return String(response.statusCode);
  } catch (error) {
    return String(error);
  }
}

async function addressOf(service: string): Promise<string> {
  return await readObject(`service/${service}`, '{.spec.clusterIP}', ...SYSTEM);
}

async function readObject(object: string, path: string, ...more: string[]): Promise<string> {
  return await kubectl('get', object, ...more, `--output=jsonpath=${path}`);
}

/** All that requests were answered with for as long as `during` takes. */
async function keepAsking(host: string, during: Promise<unknown>): Promise<string[]> {
  const address = await addressOf('rouse-ingress');
  const asked: Promise<string>[] = [];
  let isOver = false;
  const over = during.finally(() => (isOver = true));
  while (!isOver) {
    asked.push(ask(host, address));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  await over;
  return [...new Set(await Promise.all(asked))];
}

/** A Service of the cluster with two pods. */
async function makeBackend(): Promise<void> {
  const labels = { app: 'hello' };
  const container = {
    name: 'hello',
    image: 'dev.local/helloworld:v1',
    ports: [{ containerPort: 8080 }],
  };
  await applyObject({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'hello' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  });
  await applyObject({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'hello' },
    spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
  });
  await untilRolledOut('deployment/hello');
}

/** Leads a host there; resolves when it is ready. */
async function lead(name: string, host: string): Promise<void> {
  const splits = [
    { serviceName: 'hello', serviceNamespace: 'default', servicePort: 80, percent: 100 },
  ];
  const object = `ingresses.networking.internal.knative.dev/${name}`;
  await applyObject({
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Ingress',
    metadata: { name, annotations: { 'networking.knative.dev/ingress.class': CLASS } },
    spec: { rules: [{ hosts: [host], visibility: 'ExternalIP', http: { paths: [{ splits }] } }] },
  });
  await untilObject('--for=condition=Ready', object);
}

/** All gateways are replaced, one after the other, while requests come. */
async function replaced(): Promise<unknown> {
  await kubectl('scale', ...INGRESS, '--replicas=2');
  await untilRolledOut(...INGRESS);
  await makeBackend();
  await lead('hello', HOST);
  const before = await podsOf();
  async function replace(): Promise<void> {
    await kubectl('rollout', 'restart', ...INGRESS);
    await untilRolledOut(...INGRESS);
    await untilObject('--for=delete', ...SYSTEM, ...before);
  }
  return await keepAsking(HOST, replace());
}

/** The one that writes status is deleted, without a grace. */
async function deleted(): Promise<unknown> {
  await kubectl('delete', await findLeader(), ...SYSTEM, '--force', '--grace-period=0');
  await lead('later', 'later.example.com');
  return await ask('later.example.com', await addressOf('rouse-ingress'));
}

/** The pod that writes status; one that has ended may still be written down. */
async function findLeader(): Promise<string> {
  let leader = '';
  await untilCluster('one of the gateways writes status', async () => {
    leader = `pod/${await readObject('lease/rouse-ingress', '{.spec.holderIdentity}', ...SYSTEM)}`;
    return (await podsOf()).includes(leader);
  });
  return leader;
}

/** A Service of Knative, with our class by default: from zero, by its own address, which is one in the cluster. */
async function service(): Promise<unknown> {
  await setClass(CLASS);
  await applyObject({
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name: 'woken' },
    spec: {
      template: {
        metadata: { annotations: { 'autoscaling.knative.dev/window': '6s' } },
        spec: { containers: [{ image: 'dev.local/helloworld:v1' }] },
      },
    },
  });
  await untilObject('--for=condition=Ready', 'ksvc/woken');
  const pods = ['pods', '--selector', 'serving.knative.dev/service=woken'];
  await untilObject('--for=delete', ...pods);
  const { hostname } = new URL(await readObject('ksvc/woken', '{.status.url}'));
  const outside = await ask(hostname, await addressOf('rouse-ingress'));
  return { outside, inside: await ask(hostname, await addressOf('rouse-ingress-internal')) };
}

/** All that was installed and made. */
async function remove(): Promise<unknown> {
  await setClass(null);
  const ingresses = ['hello', 'later'].map(
    (name) => `ingresses.networking.internal.knative.dev/${name}`,
  );
  const made = ['ksvc/woken', 'deployment/hello', 'service/hello', ...ingresses];
  await kubectl('delete', '--ignore-not-found', ...made);
  // By themselves they would go on for what they serve; nobody asks any more.
  await kubectl('delete', ...INGRESS);
  await kubectl('delete', 'pods', '--all', ...SYSTEM, '--force', '--grace-period=0');
  const rights = ['clusterrole/rouse-ingress', 'clusterrolebinding/rouse-ingress'];
  await kubectl('delete', 'namespace/rouse-system', ...rights, PATIENCE);
  return 'done';
}

async function setClass(name: string | null): Promise<void> {
  const map = ['configmap/config-network', '--namespace', 'knative-serving'];
  const patch = JSON.stringify({ data: { 'ingress-class': name } });
  await kubectl('patch', ...map, '--type=merge', '--patch', patch);
}

async function podsOf(): Promise<string[]> {
  const label = 'app.kubernetes.io/component=ingress';
  const names = await kubectl('get', 'pods', ...SYSTEM, '--selector', label, '--output=name');
  return names.split('\n');
}

await playNamed({
  replaced,
  deleted,
  service,
  remove,
});
