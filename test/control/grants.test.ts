import { expect, test } from 'vitest';
import { type Active, makeActive } from '#control/autoscaling/active.ts';
import { createBudget } from '#control/budget.ts';
import { loadCatalog } from '#control/records/catalog.ts';
import { createGrants } from '#control/autoscaling/grants.ts';
import { createJournal } from '#control/records/journal.ts';
import { createLoadBook } from '#control/load.ts';
import { modelSpec, revisionSpec } from '#domain/model.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { createFakeRuntime } from '#test/runtime/fake.ts';
import { MIB, program } from './harness.ts';

function makeOne(key: string): Active {
  const spec = revisionSpec.parse(program({ resources: { memory: '100Mi' } }));
  const { scaling } = modelSpec.parse({});
  const keepAlive = { policy: 'fixed', idle: 60_000, park: 0 } as const;
  const workload = { key, spec };
  const facts = { key, state: 'Ready', workload, scaling, keepAlive, routed: true } as const;
  return makeActive(facts, false, 0);
}

test('many that are short of memory are not each a walk over all that is active', async () => {
  const count = 200;
  const clock = createFakeClock();
  const store = await createSqliteStore({ path: ':memory:', clock });
  const journal = createJournal({
    store,
    catalog: await loadCatalog(store),
    clock,
    log: silentLog,
  });
  const book = createLoadBook(() => clock.now());
  let looks = 0;
  const loads = {
    ...book,
    totals(revision: string) {
      looks++;
      return book.totals(revision);
    },
  };
  const active = new Map<string, Active>();
  const add = (key: string): Active => {
    const one = makeOne(key);
    active.set(key, one);
    return one;
  };
  const grants = createGrants({
    active,
    budget: createBudget(count * 100 * MIB),
    standby: { bytes: () => 0, giveUp: () => undefined, offer: () => undefined },
    runtime: createFakeRuntime({ clock }),
    dozing: { has: () => false },
    loads,
    journal,
    keepAlive: { worth: () => 0 },
    clock,
    onEvicted: (one) => grants.take(one, 0),
    onWaiting: () => undefined,
    onAgain: () => undefined,
    onImpossible: () => undefined,
  });
  for (let n = 0; n < count; n++) {
    const busy = add(`default/busy/${n}`);
    grants.take(busy, 1);
    book.wake(`plane-${n}`, busy.key, 1);
  }
  const waiting = Array.from({ length: count }, (_, n) => add(`default/waiting/${n}`));
  grants.together(() => {
    for (const one of waiting) grants.take(one, 1);
  });
  expect(grants.waiting()).toHaveLength(count);
  expect(looks).toBeLessThanOrEqual(2 * count);
  // What has become idle since is found the next time.
  book.left('plane-7');
  grants.together(() => {
    for (const one of waiting.slice(0, 2)) grants.take(one, 1);
  });
  expect(active.get('default/busy/7')?.granted).toBe(0);
  expect(active.get('default/busy/7')?.evicted).toContain('default/waiting/0 needs the memory');
  await journal.flush();
  await store.close();
});
