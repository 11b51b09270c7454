import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { shareCluster } from './share-cluster.ts';

const ASK = join(import.meta.dirname, 'ask-child.ts');
const REVISION = 'hello-00001';
const PODS = ['pods', '--selector', `serving.knative.dev/revision=${REVISION}`];
const HELLO = JSON.stringify({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'hello' },
  spec: {
    template: {
      metadata: {
        annotations: {
          'autoscaling.knative.dev/window': '6s',
          // The activator stays in the path.
          'autoscaling.knative.dev/target-burst-capacity': '-1',
        },
      },
      spec: { containers: [{ image: 'dev.local/helloworld:v1' }] },
    },
  },
});

describe.skipIf(MISSING.length > 0)(`a cluster with Knative ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  const kubectl = async (...args: string[]): Promise<string> =>
    await cluster.must('exec', 'kubectl', ...args);
  const until = async (...args: string[]): Promise<string> =>
    await kubectl('wait', '--timeout=240s', ...args);

  /** As an ingress asks: through the activator, with headers that name the revision. */
  async function ask(): Promise<{ status: number; body: string }> {
    const service = ['service', 'activator-service', '--namespace', 'knative-serving'];
    const address = await kubectl('get', ...service, '--output', 'jsonpath={.spec.clusterIP}');
    const headers = {
      'Knative-Serving-Namespace': 'default',
      'Knative-Serving-Revision': REVISION,
    };
    const args = [ASK, `http://${address}/`, JSON.stringify(headers)];
    return JSON.parse(await cluster.must('exec', process.execPath, ...args));
  }

  beforeAll(async () => {
    cluster = await shareCluster();
  });
  afterAll(async () => {
    await cluster.must('exec', 'kubectl', 'delete', 'ksvc', 'hello');
  });

  test('the node is Ready, and all of Knative is available', async () => {
    expect(await kubectl('get', 'nodes')).toMatch(/^rouse +Ready .* v1\.34\.4$/m);
    const deployments = ['deployments', '--namespace', 'knative-serving'];
    await until('--for=condition=Available', ...deployments, '--all');
    const names = ['--output', 'jsonpath={.items[*].metadata.name}'];
    const found = await kubectl('get', ...deployments, ...names);
    expect(found.split(' ')).toEqual(['activator', 'autoscaler', 'controller', 'webhook']);
  });

  test('status says that all is well', async () => {
    const status = await cluster.must('status');
    expect(status).toMatch(/^ready +kube-apiserver$/m);
    expect(status).not.toContain('not ready');
  });

  test('its kubeconfig is complete in itself', async () => {
    const text = await cluster.must('kubeconfig');
    expect(text).toContain('server: https://10.244.0.1:6443');
    expect(text).toContain('client-key-data: ');
  });

  test('what a command in the box ends with is what the harness ends with', async () => {
    const { code, stderr } = await cluster.run(['exec', 'kubectl', 'get', 'pod', 'none']);
    expect(stderr).toContain('"none" not found');
    expect(code).toBe(1);
  });

  test('a Service gets ready and answers; it falls asleep, and a request wakes it', async () => {
    await cluster.must('exec', 'sh', '-c', `echo '${HELLO}' | kubectl apply -f -`);
    await until('--for=create', `revision/${REVISION}`);
    await until('--for=condition=Ready', `revision/${REVISION}`);
    const answer = { status: 200, body: expect.stringContaining('Hello World!') };
    expect(await ask()).toEqual(answer);
    await until('--for=delete', ...PODS);
    expect(await kubectl('get', ...PODS, '--output', 'name')).toBe('');
    expect(await ask()).toEqual(answer);
  });

  test('the DNS of the cluster is found at its Service, and knows Services', async () => {
    const address = 'activator-service.knative-serving.svc.cluster.local';
    const script = `new (require('node:dns').promises.Resolver)({timeout: 2000})`;
    const code = `const r = ${script}; r.setServers(['10.96.0.10']);
      r.resolve4('${address}').then((found) => console.log(found[0]))`;
    const found = await cluster.must('exec', process.execPath, '-e', code);
    expect(found).toMatch(/^10\.96\.\d+\.\d+\n$/);
  });
});
