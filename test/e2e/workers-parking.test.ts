import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { type Caller, openCaller } from './caller.ts';
import { ownersOf } from './connections.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  processesFor,
  removePlatform,
  startPlatform,
} from './platform.ts';

/** Control is killed while it parks an instance: what it had told so far is all that the data planes know. */

const PATH = '/models/default/app/';
let platform: Platform | undefined;
let callers: Caller[] = [];

afterEach(async () => {
  for (const caller of callers) caller.close();
  callers = [];
  await removePlatform(platform);
  platform = undefined;
});

async function start(): Promise<Platform> {
  const folder = await makeFolder();
  platform = await startPlatform(folder, { args: ['--workers', '2', '--pool', '0'], env: ENV });
  await writeFile(
    join(folder, 'app.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revision: { name: v1, runtime: command, concurrency: 100, timeouts: { drain: 10m }, args: ${numberedArgs(join(folder, 'log'))} }
  scaling: { max: 1 }
  keepAlive: { policy: fixed, idle: 0s, park: 10m }
`,
  );
  expect(await platform.rouse('apply', '-f', 'app.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('app', ({ status }) => status.revisions[0]?.state === 'Ready');
  return platform;
}

/** A caller of each of the two data planes, with the data plane's pid. */
async function callerOfEach({ port, folder }: Platform): Promise<[number, Caller][]> {
  const pids = await processesFor('data plane', folder);
  expect(pids).toHaveLength(2);
  const found = new Map<number, Caller>();
  await until('each data plane has a caller', async () => {
    const caller = await openCaller(port);
    callers.push(caller);
    await until('it has an owner', async () => {
      const owner = (await ownersOf(port, pids)).get(caller.port);
      if (owner !== undefined) found.set(owner, caller);
      return owner !== undefined;
    });
    return found.size === 2;
  });
  return [...found];
}

async function untilControl(control: string): Promise<void> {
  await until('control listens', async () => {
    const found = await fetch(`${control}/readyz`).catch(() => undefined);
    return found?.ok === true;
  });
}

async function killControl(folder: string): Promise<void> {
  const [control = 0] = await processesFor('control', folder);
  process.kill(control, 'SIGKILL');
  await until('control has gone', async () => {
    const found = await processesFor('control', folder);
    return !found.includes(control);
  });
}

const inState =
  (state: string) =>
  ({ status }: Awaited<ReturnType<Platform['model']>>): boolean =>
    status.instances.length === 1 && status.instances[0]?.state === state;

test.each([
  ['while control is away', false],
  ['when another control has come', true],
])(
  'kill -9 of control while an instance is being parked: requests that come %s are answered',
  async (_, isLater) => {
    const { folder, control } = await start();
    const [[stopped, late], [, present]] = (await callerOfEach(platform!)) as [
      [number, Caller],
      [number, Caller],
    ];
    const answer = async (caller: Caller): Promise<void> =>
      expect(await caller.call({ path: PATH })).toMatchObject({ status: 200, whole: true });
    await answer(present);
    for (let round = 0; round < 3; round += 1) {
      await platform!.untilModel('app', inState('parked'));
      // It does not say that it has let go, so that the instance is being parked until the test goes on.
      process.kill(stopped, 'SIGSTOP');
      await answer(present);
      await platform!.untilModel('app', inState('parking'));
      await killControl(folder);
      if (isLater) await untilControl(control);
      const answers = answer(present);
      process.kill(stopped, 'SIGCONT');
      await Promise.all([answers, answer(late)]);
      await untilControl(control);
    }
  },
  180_000,
);
