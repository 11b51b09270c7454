import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { createSqliteRequests } from '#store/requests/sqlite-requests.ts';
import { stateFolder } from '../state-folder.ts';
import { testRequests } from './conformance.ts';

/** Each with the start of a process, one after the other: ten seconds for one. */
const KILLS = 10;

testRequests('sqlite', async (limits) => {
  const { folder, remove } = await stateFolder();
  const store = await createSqliteRequests({ path: join(folder, 'requests.db'), limits });
  return { store, remove };
});

test('the database is readable by its owner only', async () => {
  const { folder, remove } = await stateFolder();
  onTestFinished(remove);
  const path = join(folder, 'requests.db');
  const limits = { requests: 1, bytes: 1, keepMs: 1 };
  const store = await createSqliteRequests({ path, limits });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await store.close();
});

test('what was acknowledged before a kill is there, and no two attempts end one request', async () => {
  const { folder, remove } = await stateFolder();
  onTestFinished(remove);
  const path = join(folder, 'requests.db');
  const script = join(import.meta.dirname, 'worker-child.ts');
  const added = new Set<string>();
  const ended = new Map<string, number>();
  for (let kill = 1; kill <= KILLS; kill++) {
    const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'exit');
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const [what, id = ''] = line.split(' ');
      if (what === 'added') added.add(id);
      else ended.set(id, (ended.get(id) ?? 0) + 1);
      if (++lines === kill * 37) child.kill('SIGKILL');
    }
    expect((await exit)[1]).toBe('SIGKILL');
  }
  const limits = { requests: 1e6, bytes: 1e9, keepMs: 1e9 };
  const store = await createSqliteRequests({ path, limits });
  onTestFinished(() => store.close());
  for (const id of added) expect(await store.requests.get(id)).toBeDefined();
  for (const [id, times] of ended) {
    expect(times).toBe(1);
    expect((await store.requests.get(id))?.state).toBe('done');
  }
  expect(ended.size).toBeGreaterThan(100);
}, 100_000);
