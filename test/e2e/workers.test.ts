import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import { type Caller, openCaller, type Outcome } from './caller.ts';
import { ownersOf } from './connections.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  processesFor,
  processesOf,
  removeFolder,
  removePlatform,
  runRouse,
  startPlatform,
  untilNoProcess,
} from './platform.ts';

/** `rouse serve --workers 2`: processes that share a port, and what is left when one of them dies. */

const MANY = 10_000;
const CALLERS = 16;
const LOOKS_PER_EDIT = 100;
/** Its channel to the first process, and its connection to control: then it would listen, too. */
const SOCKETS_OF_A_WORKER = 2;
let platform: Platform | undefined;
let callers: Caller[] = [];

afterEach(async () => {
  for (const caller of callers) caller.close();
  callers = [];
  await removePlatform(platform);
  platform = undefined;
});

async function start(...more: string[]): Promise<Platform> {
  const folder = platform?.folder ?? (await makeFolder());
  const started = await startPlatform(folder, {
    args: ['--workers', '2', '--pool', '0', '--drain', '10s', ...more],
    env: ENV,
  });
  platform = started;
  return started;
}

async function deploy(
  on: Platform,
  options: { name?: string; versions?: readonly string[]; concurrency?: number; min?: number } = {},
): Promise<void> {
  const { name = 'app', versions = ['v1'], concurrency = 100, min = 1 } = options;
  const log = join(on.folder, 'log');
  const revisions = versions.map(
    (version) =>
      `{ name: ${version}, runtime: command, concurrency: ${concurrency}, args: ${numberedArgs(log, version)} }`,
  );
  const share = (index: number): number => (versions.length === 1 ? 100 : index === 0 ? 90 : 10);
  const traffic = versions.map(
    (revision, index) => `{ revision: ${revision}, percent: ${share(index)} }`,
  );
  const file = join(on.folder, `${name}.yaml`);
  await writeFile(
    file,
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: ${name} }
spec:
  revisions: [ ${revisions.join(', ')} ]
  traffic: [ ${traffic.join(', ')} ]
  scaling: { min: ${min}, max: 1 }
`,
  );
  expect(await on.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
}

async function ready(on: Platform, name = 'app', count = 1): Promise<string[]> {
  const isReady = (each: { state: string }): boolean => each.state === 'ready';
  const found = await on.untilModel(
    name,
    ({ status }) => status.instances.filter(isReady).length === count,
  );
  return found.status.instances.map(({ id }) => id);
}

async function open(port: number, count: number): Promise<Caller[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => openCaller(port)));
  callers.push(...opened);
  return opened;
}

const dataPlanes = (folder: string): Promise<number[]> => processesFor('data plane', folder);

async function socketsOf(pid: number): Promise<number> {
  const folder = `/proc/${pid}/fd`;
  const files = await readdir(folder).catch(() => []);
  const targets = await Promise.all(
    files.map((file) => readlink(join(folder, file)).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith('socket:')).length;
}

/** Control listens, for the first time or again. */
async function untilControl(): Promise<void> {
  const ask = () => fetch(`${platform!.control}/readyz`).catch(() => undefined);
  await until('control listens', async () => (await ask())?.ok === true);
}

function isServed({ status, whole }: Outcome): boolean {
  return status === 200 && whole;
}

/** Who has which caller's connection. */
async function ownedBy(port: number, folder: string): Promise<Map<number, Caller[]>> {
  const pids = await dataPlanes(folder);
  let owners = new Map<number, number>();
  await until('each caller has an owner', async () => {
    owners = await ownersOf(port, pids);
    return callers.every((caller) => owners.has(caller.port));
  });
  const byPid = new Map(pids.map((pid) => [pid, [] as Caller[]]));
  for (const caller of callers) byPid.get(owners.get(caller.port) ?? 0)?.push(caller);
  return byPid;
}

/** Calls over each connection, one request after the other, until told to stop or until one fails. */
function keepCalling(among: readonly Caller[]) {
  const failed: { caller: Caller; outcome: Outcome }[] = [];
  let served = 0;
  let stopped = false;
  async function run(caller: Caller): Promise<void> {
    while (!stopped) {
      const outcome = await caller.call({});
      if (isServed(outcome)) served += 1;
      else {
        failed.push({ caller, outcome });
        return;
      }
    }
  }
  const runs = among.map(run);
  return {
    failed,
    served: () => served,
    async more(count: number) {
      const wanted = served + count;
      await until('as many answers', async () => served >= wanted);
    },
    async stop() {
      stopped = true;
      await Promise.all(runs);
    },
  };
}

test('both workers get connections, each splits exactly, and their metrics add up', async () => {
  const { port, folder, control } = await start();
  await deploy(platform!, { versions: ['v1', 'v2'] });
  await ready(platform!, 'app', 2);
  await open(port, 40);
  const shares = [...(await ownedBy(port, folder)).values()].map((owned) => owned.length);
  expect(shares).toHaveLength(2);
  expect(Math.min(...shares)).toBeGreaterThan(0);
  expect(shares[0]! + shares[1]!).toBe(40);

  const versions = await Promise.all(
    callers.map(async (caller) => {
      const found: unknown[] = [];
      for (let i = 0; i < 25; i += 1) found.push((await caller.call({})).headers['rouse-revision']);
      return found;
    }),
  );
  const v1 = versions.flat().filter((version) => version === 'v1').length;
  expect(Math.abs(v1 - 900)).toBeLessThanOrEqual(2);
  const counted = [...(await served(control)).values()];
  expect(counted.length).toBe(4);
  expect(counted.reduce((a, b) => a + b)).toBe(1000);
});

test('kill -9 of a worker under load: its own connections fail and no others, and another takes its place', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await ready(platform!);
  await open(port, 20);
  const byPid = await ownedBy(port, folder);
  const [victim = 0, other = 0] = byPid.keys();
  const load = keepCalling(callers);
  await load.more(100);
  process.kill(victim, 'SIGKILL');
  await load.more(100);
  await until('another data plane in the place of the killed one', async () => {
    const alive = await dataPlanes(folder);
    return alive.length === 2 && !alive.includes(victim) && alive.includes(other);
  });
  const others = byPid.get(other) ?? [];
  expect(load.failed.filter(({ caller }) => others.includes(caller))).toEqual([]);
  expect(load.failed.map(({ caller }) => caller).toSorted(byPort)).toEqual(
    (byPid.get(victim) ?? []).toSorted(byPort),
  );
  const fresh = (await dataPlanes(folder)).find((pid) => pid !== other) ?? 0;
  await until('the new data plane has a caller', async () => {
    const [caller] = await open(port, 1);
    expect(isServed((await caller?.call({}))!)).toBe(true);
    return (await ownersOf(port, [fresh])).size > 0;
  });
  await load.stop();
});

/** Requests that were answered with 200, by series. */
async function served(control: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${control}/metrics`)).text();
  const rows = text.matchAll(/^(rouse_requests_total\{.*code="200".*\}) (\d+)$/gm);
  return new Map([...rows].map(([, series = '', count]) => [series, Number(count)]));
}

test('a worker that dies takes its counters along, and those of the others go on: no series falls', async () => {
  const { port, folder, control } = await start();
  await deploy(platform!);
  await ready(platform!);
  await open(port, 20);
  const byPid = await ownedBy(port, folder);
  const [victim = 0, other = 0] = byPid.keys();
  for (const caller of callers) expect(isServed(await caller.call({}))).toBe(true);
  const before = await served(control);
  const counts = (byOwner: readonly number[]): number[] => byOwner.toSorted((a, b) => a - b);
  expect(counts([...before.values()])).toEqual(
    counts([...byPid.values()].map((owned) => owned.length)),
  );
  process.kill(victim, 'SIGKILL');
  await until('another data plane in the place of the killed one', async () => {
    const alive = await dataPlanes(folder);
    return alive.length === 2 && !alive.includes(victim);
  });
  const after = await served(control);
  expect([...after.values()]).toEqual([byPid.get(other)?.length]);
  for (const [series, count] of after) expect(count).toBe(before.get(series));
});

const byPort = (a: Caller, b: Caller): number => a.port - b.port;

test('kill -9 of control under load: no request fails, cold ones are held, and deploying works again', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await deploy(platform!, { name: 'cold', min: 0 });
  const ids = await ready(platform!);
  // That of the proof ends; what is counted then lives on.
  await platform!.untilModel('cold', ({ status }) => status.instances.length === 0);
  const instances = await processesFor('instance', folder);
  await open(port, 10);
  const load = keepCalling(callers);
  await load.more(100);
  for (let round = 0; round < 2; round += 1) {
    const [control = 0] = await processesFor('control', folder);
    process.kill(control, 'SIGKILL');
    const [cold] = await open(port, 1);
    const path = '/models/default/cold/';
    if (round === 0) {
      const held = (await cold?.call({ path }))!;
      expect(held).toMatchObject({ status: 200, headers: { 'rouse-cold-start': 'true' } });
    }
    await load.more(100);
    await until('another control in the place of the killed one', async () => {
      const found = await processesFor('control', folder);
      return found.length === 1 && found[0] !== control;
    });
  }
  await untilControl();
  await deploy(platform!, { name: 'another' });
  await ready(platform!, 'another');
  expect(await ready(platform!)).toEqual(ids);
  expect(await processesFor('instance', folder)).toEqual(expect.arrayContaining(instances));
  await load.stop();
  expect(load.failed).toEqual([]);
}, 120_000);

test('control and a worker that are killed again and again are back within a second each time', async () => {
  const { folder, requests } = await start('--workers', '1');
  const isBack = {
    control: untilControl,
    'data plane': () =>
      until('the worker listens', async () => {
        const answer = await fetch(`${requests}/healthz`).catch(() => undefined);
        return answer?.ok === true;
      }),
  };
  for (const role of ['control', 'data plane'] as const) {
    await isBack[role]();
    for (let kill = 0; kill < 3; kill += 1) {
      const [victim = 0] = await processesFor(role, folder);
      process.kill(victim, 'SIGKILL');
      await until('it has gone', () => !existsSync(`/proc/${victim}`));
      await isBack[role]();
    }
  }
  const waits = platform!.output().matchAll(/ended, and is started again (at once|after \d+ s)/g);
  const told = Array.from(waits, ([, when]) => when);
  expect(told).toHaveLength(6);
  for (const when of told) expect(['at once', 'after 1 s']).toContain(when);
}, 180_000);

test('a worker that starts while control is away takes no connection before it knows the models', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await ready(platform!);
  const [control = 0] = await processesFor('control', folder);
  const [victim = 0, other = 0] = await dataPlanes(folder);
  // Stopped, it is away for as long as the test likes, and nobody takes its place.
  process.kill(control, 'SIGSTOP');
  process.kill(victim, 'SIGKILL');
  let fresh = 0;
  await until('the new data plane knows control', async () => {
    fresh = (await dataPlanes(folder)).find((pid) => pid !== victim && pid !== other) ?? 0;
    return fresh !== 0 && (await socketsOf(fresh)) >= SOCKETS_OF_A_WORKER;
  });
  const callAnew = async (): Promise<Caller> => {
    const [caller] = await open(port, 1);
    expect(await caller!.call({})).toMatchObject({ status: 200, whole: true });
    return caller!;
  };
  for (let count = 0; count < 100; count += 1) await callAnew();
  process.kill(control, 'SIGKILL');
  for (let count = 0; count < 100; count += 1) await callAnew();
  await until('the new data plane has a caller', async () => {
    await callAnew();
    return (await ownersOf(port, [fresh])).size > 0;
  });
  process.kill(other, 'SIGKILL');
  // What names it goes before its sockets do: only who is not in /proc any more takes no connection.
  await until('the other data plane has gone', async () => !existsSync(`/proc/${other}`));
  await callAnew();
});

test('kill -9 of the first process: nothing is left, not even of what is frozen', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await ready(platform!);
  await open(port, 4);
  expect((await callers[0]?.call({}))?.status).toBe(200);
  const [worker = 0] = await dataPlanes(folder);
  const [control = 0] = await processesFor('control', folder);
  const sockets = join(folder, 'state', 'runtime', 'run');
  for (const pid of [worker, control]) process.kill(pid, 'SIGSTOP');
  await platform!.end('SIGKILL');
  await untilNoProcess(folder);
  await until('the folder of sockets has gone', async () => !existsSync(sockets));
  // What names a process goes before its sockets do.
  await until('nobody listens', async () => {
    const found = await openCaller(port).catch((error: NodeJS.ErrnoException) => error.code);
    if (typeof found === 'object') found.close();
    return found === 'ECONNREFUSED';
  });
});

test('what a killed life left, with its watchdog killed and a worker frozen, does not keep the port', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await ready(platform!);
  const before = await processesOf(folder);
  for (const pid of await processesFor('watchdog', folder)) process.kill(pid, 'SIGKILL');
  for (const pid of await dataPlanes(folder)) process.kill(pid, 'SIGSTOP');
  await platform!.end('SIGKILL');
  await start('--listen', `127.0.0.1:${port}`);
  await ready(platform!);
  const after = await processesOf(folder);
  expect(after.filter((pid) => before.includes(pid))).toEqual([]);
  const [caller] = await open(port, 1);
  expect((await caller?.call({}))?.status).toBe(200);
});

test('control that comes back does not undo what was changed since the folder was applied, and follows its edits', async () => {
  const folder = await makeFolder();
  const models = join(folder, 'models');
  await mkdir(models);
  const write = (percent: number): Promise<void> =>
    writeFile(
      join(models, 'app.yaml'),
      `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revisions:
    - { name: v1, runtime: url, source: 'http://127.0.0.1:9/' }
    - { name: v2, runtime: url, source: 'http://127.0.0.1:9/' }
  traffic: [ { revision: v1, percent: ${percent} }, { revision: v2, percent: ${100 - percent} } ]
  scaling: { initial: 0 }
`,
    );
  await write(90);
  platform = await startPlatform(folder, {
    args: ['--workers', '1', '--apply', models, '--watch'],
  });
  const percentIs = (percent: number) =>
    platform!.untilModel('app', ({ status }) => status.traffic[0]?.percent === percent);
  await platform.until(/1 model, /);
  await percentIs(90);
  expect(await platform.rouse('traffic', 'app', 'v1=40', 'v2=60')).toMatchObject({ status: 0 });
  const [control = 0] = await processesFor('control', folder);
  process.kill(control, 'SIGKILL');
  await until(
    'control has gone',
    async () => !(await processesFor('control', folder)).includes(control),
  );
  await untilControl();
  await percentIs(40);
  // An edit that comes before the folder is watched again is not seen: another one follows, after a while.
  let looks = 0;
  await until('the edit is served', async () => {
    const edited = 10 + Math.floor(looks / LOOKS_PER_EDIT);
    if (looks++ % LOOKS_PER_EDIT === 0) await write(edited);
    const percent = (await platform!.model('app')).status.traffic[0]?.percent ?? 0;
    return percent === edited;
  });
});

test('Ctrl-C, which reaches all processes, lets requests finish; held ones, too', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await deploy(platform!, { name: 'cold', min: 0 });
  await ready(platform!);
  await ready(platform!, 'cold', 0);
  const log = join(folder, 'log');
  await open(port, 12);
  const numbered = callers
    .slice(0, 10)
    .map((caller, number) =>
      caller.call({ headers: { 'x-number': String(number), 'x-ms': '700' } }),
    );
  await until(
    '10 requests have begun',
    async () => (await readFile(log, 'utf8').catch(() => '')).match(/begin/g)?.length === 10,
  );
  const held = callers.slice(10).map((caller) => caller.call({ path: '/models/default/cold/' }));
  const metrics = async (): Promise<string> =>
    await (await fetch(`${platform!.control}/metrics`)).text();
  await until('the cold requests are queued', async () =>
    /rouse_cold_requests_total\{.*cold.*\} [12]|queue_depth\{.*cold.*\} [12]/.test(await metrics()),
  );
  const all = await processesOf(folder);
  for (const pid of all) {
    const roles = await Promise.all(
      (['data plane', 'control'] as const).map((role) => processesFor(role, folder)),
    );
    if (roles.flat().includes(pid)) process.kill(pid, 'SIGINT');
  }
  expect(await platform!.end('SIGINT')).toBe(0);
  for (const outcome of await Promise.all([...numbered, ...held])) {
    expect(outcome).toMatchObject({ status: 200, whole: true });
  }
  await untilNoProcess(folder);
});

test('a second Ctrl-C ends at once, whatever runs', async () => {
  const { port, folder } = await start();
  await deploy(platform!);
  await ready(platform!);
  const [caller] = await open(port, 1);
  const answer = caller!.call({ headers: { 'x-number': '1', 'x-ms': '3600000' } });
  await until('the request has begun', async () => existsSync(join(folder, 'log')));
  platform!.process.kill('SIGINT');
  await platform!.until(/once more ends at once/);
  // One that comes at once would be the same.
  await until('it has ended', () => !platform!.process.kill('SIGINT'));
  expect(await platform!.end()).toBe(130);
  expect(await answer).toMatchObject({ status: undefined });
  await untilNoProcess(folder);
});

test('a worker that gets SIGTERM finishes what it has, after another has taken its place', async () => {
  const { port, folder } = await start('--drain', '50s');
  await deploy(platform!);
  await ready(platform!);
  await open(port, 20);
  const [leaving = 0] = (await ownedBy(port, folder)).keys();
  const log = join(folder, 'log');
  const gate = join(folder, 'gate');
  const answers = callers.map((caller, number) =>
    caller.call({ headers: { 'x-number': String(number), 'x-gate': gate } }),
  );
  await until(
    '20 requests have begun',
    async () => (await readFile(log, 'utf8').catch(() => '')).match(/begin/g)?.length === 20,
  );
  process.kill(leaving, 'SIGTERM');
  await until('three data planes', async () => (await dataPlanes(folder)).length === 3);
  await writeFile(gate, '');
  for (const outcome of await Promise.all(answers)) {
    expect(outcome).toMatchObject({ status: 200, whole: true });
  }
  await until(
    'the leaving data plane has gone',
    async () => !(await dataPlanes(folder)).includes(leaving),
  );
  expect(await dataPlanes(folder)).toHaveLength(2);
  expect(platform!.output()).not.toMatch(/a data plane ended/);
});

test(`${MANY} requests at concurrency 1, with kill -9 of a worker and of control: the instance never sees two at once`, async () => {
  const { port, folder } = await start();
  await deploy(platform!, { concurrency: 1 });
  const ids = await ready(platform!);
  let sent = 0;
  const failed: Outcome[] = [];
  async function keepSending(): Promise<void> {
    let [caller] = await open(port, 1);
    while (sent < MANY) {
      sent += 1;
      const outcome = await caller!.call({ headers: { 'x-number': String(sent) } });
      if (isServed(outcome)) continue;
      failed.push(outcome);
      caller = await openAgain(port);
    }
  }
  /** Waiting to be accepted, a connection may be the dying worker's as well, and go with it. */
  async function openAgain(port: number): Promise<Caller | undefined> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await open(port, 1))[0];
      } catch (error) {
        if (tries === CALLERS) throw error;
      }
    }
  }
  async function killOnTheWay(): Promise<void> {
    await until('a third of the requests is sent', async () => sent > MANY / 3);
    process.kill((await dataPlanes(folder))[0] ?? 0, 'SIGKILL');
    await until('two thirds of the requests are sent', async () => sent > (2 * MANY) / 3);
    process.kill((await processesFor('control', folder))[0] ?? 0, 'SIGKILL');
  }
  await Promise.all([killOnTheWay(), ...Array.from({ length: CALLERS }, keepSending)]);
  const lines = (await readFile(join(folder, 'log'), 'utf8')).trim().split('\n');
  const begun = lines.filter((line) => line.startsWith('begin')).map((line) => line.split(' '));
  expect(new Set(begun.map(([, , running]) => running))).toEqual(new Set(['1']));
  expect(new Set(begun.map(([, , , pid]) => pid)).size).toBe(1);
  expect(begun.length).toBeGreaterThanOrEqual(MANY - CALLERS);
  // A connection that was cut; never a refusal.
  expect(failed.map(({ status }) => status)).toEqual(failed.map(() => undefined));
  expect(failed.length).toBeLessThanOrEqual(CALLERS);
  await untilControl();
  expect(await ready(platform!)).toEqual(ids);
}, 300_000);

test('a port that somebody has is refused as it is without workers, also when it is another Rouse that shares', async () => {
  const folder = await makeFolder();
  const server = createServer();
  const taken = await listening(server);
  const serve = (port: number) =>
    runRouse(
      ['serve', '--workers', '2', '--listen', `127.0.0.1:${port}`, '--data', join(folder, 'other')],
      folder,
    );
  const refused = {
    status: 1,
    stderr: expect.stringMatching(/127\.0\.0\.1:\d+: the port is in use/),
  };
  expect(await serve(taken)).toMatchObject(refused);
  server.close();
  await start();
  expect(await serve(platform!.port)).toMatchObject(refused);
  await removeFolder(folder);
});
