import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { createSqliteStore } from '#store/sqlite.ts';
import { stateFolder } from './state-folder.ts';

/** Each with the start of a process, one after the other: ten seconds for one. */
const KILLS = 25;

/** Numbers below `limit` that follow from the seed, so that a failure can be tried again. */
function createDice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % limit;
  };
}

/** Runs the writer and kills it some turns after its n-th acknowledgement; gives all that it has printed. */
async function killAfter(acks: number, turns: number, path: string, first: number) {
  const script = join(import.meta.dirname, 'writer-child.ts');
  const child = spawn(process.execPath, [script, path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const printed: number[] = [];
  const exit = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(Number(line));
    if (printed.length !== acks) continue;
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGKILL');
  }
  expect((await exit)[1]).toBe('SIGKILL');
  return printed;
}

test(`after ${KILLS} kills at random moments every acknowledged write is there, each whole`, async () => {
  const { folder, remove } = await stateFolder();
  onTestFinished(remove);
  const path = join(folder, 'rouse.db');
  const seed = Date.now() >>> 0;
  const dice = createDice(seed);
  const acknowledged = new Set<number>();
  for (let kill = 0, first = 0; kill < KILLS; kill++) {
    const printed = await killAfter(1 + dice(60), dice(40), path, first);
    for (const n of printed) acknowledged.add(n);
    const store = await createSqliteStore({ path, clock: systemClock });
    const pairs = (await store.list('memory')).map(({ key }) => Number(key));
    const models = (await store.list('model')).map(({ key }) =>
      Number(key.slice('default/m'.length)),
    );
    const events = (await store.events({ limit: 100_000 })).map(({ model }) =>
      Number(model.slice(1)),
    );
    await store.close();
    const stored = new Set(pairs);
    const where = `seed ${seed}, kill ${kill}`;
    expect(
      [...acknowledged].filter((n) => !stored.has(n)),
      where,
    ).toEqual([]);
    expect(new Set(models), where).toEqual(stored);
    expect(new Set(events), where).toEqual(stored);
    first = Math.max(-1, ...stored) + 1;
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS);
}, 250_000);
