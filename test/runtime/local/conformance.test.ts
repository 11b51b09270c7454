import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { testRuntime, type RuntimeHarness } from '../conformance.ts';
import { createLocalSetup, pidsMarked } from './harness.ts';

/** So many that several stand by for most tests; what is wanted beyond that is started afresh. */
const POOL = 2;

testRuntime('local', () => createHarness(0));
testRuntime('local, with processes that stand by', () => createHarness(POOL));

async function createHarness(pool: number): Promise<RuntimeHarness> {
  const clock = createFakeClock();
  const setup = await createLocalSetup({ clock, pool });
  const { runtime, folder, stateId } = setup;
  runtime.pool?.keep(['function']);
  await until('they stand by', () => (runtime.pool?.views()[0]?.idle ?? 0) === pool);
  const repair = join(folder, 'repaired');
  const originals = new Map<string, string>();

  return {
    runtime,
    ...(pool > 0 && { standby: { runtime: 'function', limit: pool } }),
    async workload(behaviour, spec = {}) {
      const source = join(folder, `${behaviour}-${originals.size}.js`);
      await writeFile(source, `${behaviour} ${repair}\n`);
      const artifact = await setup.putFile(source);
      const made = setup.workload({ runtime: 'function', source, ...spec }, artifact);
      originals.set(made.key, source);
      return made;
    },
    urlWorkload: () => setup.workload({ runtime: 'url', source: 'http://127.0.0.1:9/base' }),
    async repair() {
      await writeFile(repair, '');
    },
    async loseOriginal({ key }) {
      await rm(originals.get(key) ?? '');
    },
    async crash(instanceId) {
      for (const pid of pidsMarked(`${stateId}/${instanceId}\0`)) process.kill(pid, 'SIGKILL');
    },
    now: () => clock.now(),
    advance: async (ms) => clock.advance(ms),
    close: () => setup.close(),
  };
}
