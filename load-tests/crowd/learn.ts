import { join } from 'node:path';
import { createBudget } from '#control/budget.ts';
import { loadCatalog } from '#control/records/catalog.ts';
import { factsOfKey } from '#control/records/facts.ts';
import { createJournal } from '#control/records/journal.ts';
import { createKeepAlive } from '#control/keepalive/keep-alive.ts';
import { silentLog } from '#lib/log.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { createFakeRuntime } from '#test/runtime/fake.ts';
import type { Arrival } from './window.ts';

/**
 * Lets keep-alive learn from requests that never were, as it would have live, in the state folder of a Rouse that
 * does not run. `arrivals`: in ms; the last of them are to be now, at `until`.
 */
export async function learn(options: {
  folder: string;
  arrivals: readonly Arrival[];
  until: number;
  keyOf: (model: number) => string;
  memoryBudget: number;
  coldSeconds: number;
}): Promise<void> {
  const { arrivals, until, keyOf, memoryBudget, coldSeconds } = options;
  const begin = Date.now() - until;
  const clock = createFakeClock(begin);
  const store = await createSqliteStore({ path: join(options.folder, 'rouse.db'), clock });
  try {
    const catalog = await loadCatalog(store);
    const journal = createJournal({ store, catalog, clock, log: silentLog });
    const keepAlive = await createKeepAlive({
      clock,
      log: silentLog,
      store,
      runtime: createFakeRuntime({ clock }),
      catalog,
      journal,
      budget: createBudget(memoryBudget),
      schedules: { floor: () => undefined },
      coldStartSeconds: () => coldSeconds,
      idleBytes: () => 0,
      onAhead: () => {},
    });
    for (const { model, at } of arrivals) {
      clock.advance(begin + at - clock.now());
      const facts = factsOfKey(catalog, keyOf(model));
      if (!facts) throw new Error(`there is no ${keyOf(model)}`);
      keepAlive.used(facts);
    }
    clock.advance(begin + until - clock.now());
    await keepAlive.close();
    await journal.flush();
  } finally {
    await store.close();
  }
}
