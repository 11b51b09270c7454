import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import type { Behaviour, RuntimeHarness } from './conformance.ts';
import { createFakeRuntime, type FakeRuntime } from './fake.ts';

/** The fake runtime as the suite wants it. */
export function createFakeHarness(
  options: Pick<Parameters<typeof createFakeRuntime>[0], 'soon'> = {},
): RuntimeHarness & { readonly runtime: FakeRuntime } {
  const clock = createFakeClock();
  const runtime = createFakeRuntime({ clock, ...options });
  let count = 0;
  const hungry = new Set<string>();

  function workload(spec: RevisionSpecInput): Workload {
    return { key: `default/model-${++count}/v1`, spec: revisionSpec.parse(spec) };
  }

  function shape(key: string, behaviour: Behaviour): void {
    if (behaviour === 'broken') runtime.failStarts(key, 'exited with status 3');
    if (behaviour === 'mute') runtime.holdStarts(key);
    if (behaviour === 'stubborn') runtime.ignoreTerm(key, true);
    if (behaviour === 'hungry') hungry.add(key);
  }

  return {
    runtime,
    async workload(behaviour, spec = {}) {
      const made = workload({ runtime: 'command', args: ['fake'], ...spec });
      shape(made.key, behaviour);
      return made;
    },
    urlWorkload: () => workload({ runtime: 'url', source: 'http://127.0.0.1:9/base' }),
    async repair({ key }) {
      runtime.failStarts(key, undefined);
    },
    async loseOriginal() {
      // Nothing is kept outside of the runtime.
    },
    async crash(instanceId) {
      runtime.crash(instanceId);
    },
    now: () => clock.now(),
    async advance(ms) {
      for (const { id, revision } of runtime.instances()) {
        if (hungry.has(revision)) runtime.setMemory(id, 2 ** 30);
      }
      clock.advance(ms);
    },
    close: async () => {},
  };
}
