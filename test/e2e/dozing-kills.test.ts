import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { until } from '#test/until.ts';
import { type Outcome, openCaller } from './caller.ts';
import { numberedArgs } from './numbered.ts';
import { ENV, makeFolder, type Platform, removePlatform, startPlatform } from './platform.ts';

/** What becomes of requests that were written to a frozen process when that, or the platform, is killed meanwhile. */

const ROUNDS = 5;
/** The first of them wakes it. */
const METHODS = ['GET', 'POST', 'GET', 'POST'];
let platform: Platform | undefined;

afterEach(async () => {
  await removePlatform(platform);
  platform = undefined;
});

async function start(folder: string): Promise<Platform> {
  platform = await startPlatform(folder, { args: ['--pool', '0'], env: ENV });
  return platform;
}

async function startParked(): Promise<Platform> {
  const folder = await makeFolder();
  const started = await start(folder);
  await writeFile(
    join(folder, 'app.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revision: { name: v1, runtime: command, args: ${numberedArgs(logOf(started))} }
  scaling: { max: 1 }
  keepAlive: { policy: fixed, idle: 0s, park: 10m }
`,
  );
  expect(await started.rouse('apply', '-f', 'app.yaml')).toMatchObject({ status: 0 });
  await started.untilModel('app', ({ status }) => status.revisions[0]?.state === 'Ready');
  return started;
}

const logOf = ({ folder }: Platform): string => join(folder, 'log');

/** What the instances have written down: which process has begun which request, in this order, and which have ended. */
async function readLog(of: Platform) {
  const text = existsSync(logOf(of)) ? await readFile(logOf(of), 'utf8') : '';
  const lines = text.split('\n').map((line) => line.split(' '));
  const rowsOf = (what: string, number: number) =>
    lines.filter(([first, second]) => first === what && second === String(number));
  return {
    begun: (number: number) => rowsOf('begin', number).map(([, , , pid]) => Number(pid)),
    ended: (number: number) => rowsOf('end', number).length,
  };
}

let last = 0;
const next = (): number => (last += 1);

/** Over a connection that is there already: what is left is to write it, which is done with this turn of the loop. */
async function openCall(to: Platform, method: string, number: number, gate?: string) {
  const caller = await openCaller(to.port);
  const headers = { 'x-number': String(number), ...(gate !== undefined && { 'x-gate': gate }) };
  return async (): Promise<Outcome> => {
    const outcome = await caller.call({ method, headers });
    caller.close();
    return outcome;
  };
}

async function frozen(of: Platform): Promise<number> {
  const number = next();
  const warm = await openCall(of, 'POST', number);
  expect(await warm()).toMatchObject({ status: 200 });
  await of.untilModel('app', ({ status }) => status.state === 'Parked');
  return (await readLog(of)).begun(number)[0]!;
}

async function untilDead(pid: number): Promise<void> {
  await until(`process ${pid} has ended`, () => systemProcesses.stat(pid)?.isDead !== false);
}

test('killed when requests are written to it, none is lost silently or runs twice, and the one that wakes it is answered', async () => {
  const rouse = await startParked();
  for (let round = 0; round < ROUNDS; round += 1) {
    const pid = await frozen(rouse);
    const numbers = METHODS.map(next);
    const calls = await Promise.all(
      METHODS.map((method, index) => openCall(rouse, method, numbers[index]!)),
    );
    // Before, between and after them.
    const answers: Promise<Outcome>[] = [];
    for (let index = 0; index <= calls.length; index += 1) {
      if (index === round % (calls.length + 1)) process.kill(pid, 'SIGKILL');
      const call = calls[index];
      if (call) answers.push(call());
      await turn();
    }
    const outcomes = await Promise.all(answers);
    const { begun, ended } = await readLog(rouse);
    for (const [index, outcome] of outcomes.entries()) {
      const number = numbers[index]!;
      const isAnswered = outcome.status === 200;
      if (isAnswered || index === 0) {
        expect(outcome).toMatchObject({ status: 200, whole: true, body: `v1 ${number}\n` });
        expect(begun(number)).not.toEqual([]);
      } else {
        expect(outcome).toMatchObject({ status: 502, whole: true });
        expect(JSON.parse(outcome.body)).toMatchObject({ code: 'instance_lost' });
        expect(ended(number)).toBe(0);
      }
      if (METHODS[index] === 'POST') expect(begun(number).length).toBeLessThanOrEqual(1);
    }
    await untilDead(pid);
  }
}, 180_000);

test.each([
  ['GET', 'is answered by another', 200, 2],
  ['POST', 'is refused, and runs nowhere else', 502, 1],
])(
  'killed when it has just read a request: a %s %s',
  async (method, _, status, begins) => {
    const rouse = await startParked();
    const pid = await frozen(rouse);
    const number = next();
    const gate = join(rouse.folder, 'gate');
    const call = await openCall(rouse, method, number, gate);
    const answer = call();
    await until('it has read it', async () => (await readLog(rouse)).begun(number).length === 1);
    expect((await readLog(rouse)).begun(number)).toEqual([pid]);
    process.kill(pid, 'SIGKILL');
    await untilDead(pid);
    await writeFile(gate, '');
    expect(await answer).toMatchObject({ status, whole: true });
    expect((await readLog(rouse)).begun(number)).toHaveLength(begins);
  },
  120_000,
);

test.each(['is on its way to it', 'has been read by it'])(
  'kill -9 of the platform when a request %s: nothing frozen is left, and nobody sends it again',
  async (when) => {
    const rouse = await startParked();
    const pid = await frozen(rouse);
    const number = next();
    const call = await openCall(rouse, 'GET', number, join(rouse.folder, 'gate'));
    const answer = call();
    await turn();
    if (when === 'has been read by it') {
      await until('it has read it', async () => (await readLog(rouse)).begun(number).length === 1);
    }
    await rouse.end('SIGKILL');
    expect(await answer).toMatchObject({ status: undefined, whole: false });
    const again = await start(rouse.folder);
    await untilDead(pid);
    expect(await frozen(again)).not.toBe(pid);
    const { begun, ended } = await readLog(again);
    expect(begun(number).filter((each) => each !== pid)).toEqual([]);
    expect(ended(number)).toBe(0);
  },
  120_000,
);
