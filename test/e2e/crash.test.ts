import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createRandom, type Random } from '#test/fuzz/random.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  isWatchdog,
  makeFolder,
  type Platform,
  processesOf,
  removeFolder,
  startPlatform,
  untilNoProcess,
} from './platform.ts';

const WRITES = 50;
const ROUNDS = 5;
/** Turns of the loop here after which a write is done, mostly. */
const MOST_TURNS = 200;
const SEED = Date.now() % 1_000_000_000;
let platform: Platform | undefined;

afterEach(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

/** What was acknowledged: the model's percent on v1, or that it is gone. */
type Known = Map<string, number | 'gone'>;

function document(name: string, percent: number): object {
  const revision = (version: string): object => ({
    name: version,
    runtime: 'url',
    source: 'http://127.0.0.1:9/',
  });
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name },
    spec: {
      revisions: [revision('v1'), revision('v2')],
      traffic: [
        { revision: 'v1', percent },
        { revision: 'v2', percent: 100 - percent },
      ],
      scaling: { initial: 0 },
    },
  };
}

/** Random writes, one after the other, until all are done or the server is gone. `onSent` is told their numbers. */
async function writeUntilKilled(
  control: string,
  acknowledged: Known,
  random: Random,
  onSent: (number: number) => void,
): Promise<Known> {
  const uncertain: Known = new Map();
  for (let i = 0; i < WRITES; i += 1) {
    const name = `m${random.int(12)}`;
    const url = `${control}/api/v1/namespaces/default/models/${name}`;
    const percent = random.int(101);
    const remove = typeof acknowledged.get(name) === 'number' && random.chance(0.25);
    const wanted = remove ? 'gone' : percent;
    uncertain.set(name, wanted);
    const whole = fetch(url, {
      method: remove ? 'DELETE' : 'PUT',
      headers: { 'content-type': 'application/json' },
      body: remove ? undefined : JSON.stringify(document(name, percent)),
    }).then(async (response) => ({ ok: response.ok, text: await response.text() }));
    // What was cut off in the middle of its answer was not acknowledged either.
    const answer = whole.catch(() => undefined);
    onSent(i);
    const found = await answer;
    if (!found) return uncertain;
    expect(found.ok, found.text).toBe(true);
    acknowledged.set(name, wanted);
    uncertain.delete(name);
  }
  return uncertain;
}

async function readBack(control: string, name: string): Promise<number | 'gone'> {
  const response = await fetch(`${control}/api/v1/namespaces/default/models/${name}`);
  if (response.status === 404) return 'gone';
  const body = (await response.json()) as { spec: { traffic: { percent: number }[] } };
  return body.spec.traffic[0]?.percent ?? -1;
}

async function writeApp(folder: string, scaling: string): Promise<void> {
  const args = numberedArgs(join(folder, 'log'));
  await writeFile(
    join(folder, 'app.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revision: { name: v1, runtime: command, args: ${args} }
  scaling: ${scaling}
`,
  );
}

async function untilReady(started: Platform): Promise<void> {
  await started.untilModel('app', ({ status }) =>
    status.instances.some(({ state }) => state === 'ready'),
  );
}

test(`${ROUNDS} times kill -9 of Rouse during ${WRITES} random writes (seed ${SEED}): what was acknowledged is there, and no process is left`, async () => {
  const folder = await makeFolder();
  const acknowledged: Known = new Map();
  await writeApp(folder, '{ min: 2, max: 2 }');
  platform = await startPlatform(folder, { env: ENV });
  expect(await platform.rouse('apply', '-f', 'app.yaml')).toMatchObject({ status: 0 });
  for (let round = 0; round < ROUNDS; round += 1) {
    const { control } = platform;
    await untilReady(platform);
    expect((await processesOf(folder)).length).toBeGreaterThan(0);
    const random = createRandom(SEED, round);
    const last = random.int(WRITES);
    const sent = Promise.withResolvers<void>();
    const writing = writeUntilKilled(control, acknowledged, random, (number) => {
      if (number === last) sent.resolve();
    });
    await Promise.race([sent.promise, writing]);
    // On its way, at the server, or done.
    for (let turn = random.int(MOST_TURNS); turn > 0; turn -= 1) await setImmediate();
    await platform.end('SIGKILL');
    const uncertain = await writing;
    await untilNoProcess(folder);
    platform = await startPlatform(folder, { env: ENV });
    for (const [name, value] of acknowledged) {
      const found = await readBack(platform.control, name);
      const allowed = [value, ...(uncertain.has(name) ? [uncertain.get(name)] : [])];
      expect(allowed, `${name} after round ${round} of seed ${SEED}`).toContain(found);
      acknowledged.set(name, found);
    }
    for (const name of uncertain.keys())
      acknowledged.set(name, await readBack(platform.control, name));
  }
  expect(await platform.end()).toBe(0);
  await untilNoProcess(folder);
}, 180_000);

test('kill -9 of Rouse and of its watchdog at once: the next start finds a clean state', async () => {
  const folder = await makeFolder();
  await writeApp(folder, '{ min: 1 }');
  platform = await startPlatform(folder, { env: ENV });
  expect(await platform.rouse('apply', '-f', 'app.yaml')).toMatchObject({ status: 0 });
  await untilReady(platform);
  const before = await processesOf(folder);
  for (const pid of before) process.kill(pid, (await isWatchdog(pid)) ? 'SIGKILL' : 'SIGSTOP');
  await platform.end('SIGKILL');
  platform = await startPlatform(folder, { env: ENV });
  await untilReady(platform);
  const after = await processesOf(folder);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  expect(await platform.end()).toBe(0);
  await untilNoProcess(folder);
}, 60_000);
