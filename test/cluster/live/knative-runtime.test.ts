import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from './cluster.ts';
import { shareCluster } from './share-cluster.ts';

const CHILD = join(import.meta.dirname, 'knative-runtime-child.ts');
const STRANGER = JSON.stringify({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'stranger' },
  spec: { template: { spec: { containers: [{ image: 'dev.local/helloworld:v1' }] } } },
});
const TEMPLATE = ['--output', 'jsonpath={.metadata.generation} {.metadata.labels}'];

/** What the test beside the manifests says of a fake is asked here of the real thing, in one long life. */
describe.skipIf(MISSING.length > 0)(`the runtime on a cluster ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster();
  });
  afterAll(async () => {
    await cluster?.must('exec', 'kubectl', 'delete', 'ksvc', 'stranger');
  });

  test('makes, bounds, splits, wakes, and tells; the next life finds it, and leaves nothing', async () => {
    await cluster.must('exec', 'sh', '-c', `echo '${STRANGER}' | kubectl apply -f -`);
    const stranger = ['exec', 'kubectl', 'get', 'ksvc', 'stranger', ...TEMPLATE];
    const before = await cluster.must(...stranger);
    const seen: unknown = JSON.parse(await cluster.must('exec', process.execPath, CHILD));
    expect(seen).toEqual({
      rehearsed: 'taken',
      refused: expect.stringMatching(
        /refused by webhook validation\.webhook\.serving\.knative\.dev: .*"K_SERVICE" is a reserved/,
      ),
      homeless: 'namespace nowhere does not exist in the cluster',
      stranger: expect.stringMatching(
        /^Knative Service stranger in namespace default is not Rouse's/,
      ),
      answers: [expect.stringContaining('Hello World!'), expect.stringContaining('Hello World!')],
      split: ['90', '10 canary'],
      failure: expect.stringMatching(/^its image cannot be pulled: .*dev\.local\/none:v1/),
      waiting: expect.stringMatching(
        /^waits for room: 0\/1 nodes are available: 1 Insufficient memory/,
      ),
      adopted: 3,
    });
    expect(await cluster.must(...stranger)).toBe(before);
    const ours = ['--selector', 'app.kubernetes.io/managed-by=rouse'];
    const kinds = 'ksvc,revisions,podautoscalers,pods';
    await cluster.must('exec', 'kubectl', 'wait', '--timeout=240s', '--for=delete', kinds, ...ours);
    const left = ['kubectl', 'get', kinds, ...ours, '--output', 'name'];
    expect(await cluster.must('exec', ...left)).toBe('');
  });
});
