import { revisionSpec } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { testRuntime, until, type RuntimeHarness } from '#test/runtime/conformance.ts';
import type { Pod } from '#knative/api/objects.ts';
import { PODS } from '#knative/api/resources.ts';
import { readPod } from '#knative/runtime/pods.ts';
import { createKnativeSetup } from './runtime-setup.ts';

const GRACE = 'a pod has the grace that its longest request has, and drains by itself';
const KUBELET = 'kubelet starts programs anew, after waits of its own';

/** What Kubernetes and Knative do by themselves. */
const SKIPS = {
  'gives exactly the number that is desired': "the number is that of Knative's autoscaler",
  'those that start go before those that are ready': 'the ReplicaSet chooses who goes',
  'a draining instance is stopped when its drain time is over': GRACE,
  'one that is dismissed with patience drains for as long as it takes, unless nothing shall run':
    GRACE,
  'what ignores SIGTERM is ended by force after the drain time': GRACE,
  'failed starts are counted, wait longer each time, and never before retryAt': KUBELET,
  'a failed revision is tried one instance at a time, and recovers whole': KUBELET,
  'what crashes again and again soon after it was ready waits, too': KUBELET,
  'an instance that ran soundly is replaced at once, whatever was before': KUBELET,
  'what never gets ready is ended when its time is over': "Knative's progress deadline ends it",
  'what passes its memory limit is ended, with both numbers':
    'the kernel ends it, without a number',
  'close ends everything, and nothing starts after it': 'pods outlive the control plane',
};

testRuntime('knative', createHarness, SKIPS);

async function createHarness(): Promise<RuntimeHarness> {
  const clock = createFakeClock();
  const setup = await createKnativeSetup({ clock });
  const { server, knative, runtime } = setup;
  let count = 0;
  const orders = new Map<string, number>();

  function workload(spec: Parameters<typeof revisionSpec.parse>[0]): Workload {
    return { key: `default/model-${++count}/v1`, spec: revisionSpec.parse(spec) };
  }

  /** The cluster has done what was wanted, and the runtime has heard of it. */
  function isSettled(): boolean {
    const told = runtime.instances().filter(({ id }) => !id.startsWith('fake-'));
    const pods = server.store.all(PODS) as Pod[];
    const there = pods.flatMap((pod) => readPod(pod, '').instance ?? []);
    const states = (many: readonly { id: string; state: string }[]): string =>
      many
        .map(({ id, state }) => `${id} ${state}`)
        .toSorted()
        .join();
    return setup.isOrdered(orders) && states(told) === states(there);
  }

  return {
    runtime: {
      ...runtime,
      async want(made, wanted) {
        if (made.spec.runtime !== 'url') orders.set(made.key, wanted.desired);
        await runtime.want(made, wanted);
      },
      release(id) {
        runtime.release(id);
        // What the data plane has let go of has nothing in flight: the queue-proxy ends.
        knative.drained(id);
      },
    },
    async workload(behaviour, spec = {}) {
      const made = workload({ runtime: 'image', source: 'registry.example/test:1', ...spec });
      if (behaviour === 'broken' || behaviour === 'mute') knative.behave(made.key, behaviour);
      return made;
    },
    urlWorkload: () => workload({ runtime: 'url', source: 'http://127.0.0.1:9/base' }),
    async repair({ key }) {
      knative.behave(key, 'sound');
    },
    async loseOriginal() {
      // Images and artifacts are found by their digests.
    },
    async crash(instanceId) {
      knative.crash(instanceId);
      clock.advance(0);
    },
    now: () => clock.now(),
    async advance(ms) {
      await until('the cluster is as it was wanted', isSettled);
      clock.advance(ms);
      await until('the cluster is as it was wanted', isSettled);
    },
    close: () => setup.close(),
  };
}
