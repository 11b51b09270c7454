import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Group, GroupEnd, GroupEvents } from '#runtime/local/process/group.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { createSpawner, type Spawner } from '#runtime/local/process/spawner.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { wanted } from '../../conformance.ts';
import { createLocalSetup, pidsMarked, programArgs, spawners } from '../harness.ts';

/** More than the silence that a sound process is granted. */
const TOO_LONG_MS = 15_000;
const LOST = 'was ended: the process that starts programs has died';
/** Who is stopped never hears that his parent has gone; what he started is left to the test, where no host is. */
const toKill: number[] = [];

function stop(pid: number | undefined): void {
  if (pid === undefined) throw new Error('it does not run');
  toKill.push(pid);
  process.kill(pid, 'SIGSTOP');
}

afterEach(() => {
  for (const pid of toKill.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It is gone, as it should be.
    }
  }
});

let clock: FakeClock;
let spawner: Spawner;
let logged: string[];

beforeEach(() => {
  clock = createFakeClock();
  logged = [];
  const log = pino({}, { write: (line) => logged.push(line) });
  spawner = createSpawner({ environment: {}, clock, log });
});
afterEach(async () => {
  spawner.kill('the test is over');
  await spawner.close();
});

interface Ran {
  readonly group: Group;
  readonly told: string[];
  /** Of its first process, once it has ended. */
  status(): GroupEnd['status'] | undefined;
}

function run(...args: string[]): Ran {
  return runProgram('/bin/sleep', ...args);
}

function runProgram(path: string, ...args: string[]): Ran {
  const told: string[] = [];
  let status: GroupEnd['status'] | undefined;
  const events: GroupEvents = {
    onStart(leader) {
      toKill.push(leader.pid);
      told.push('start');
    },
    onLine: () => {},
    onExit: () => told.push('exit'),
    onEnd(end) {
      status = end.status;
      told.push(end.how);
    },
  };
  const program = { path, args, cwd: '/', environment: {} };
  return { group: spawner.start(program, undefined, events), told, status: () => status };
}

test('one that is stopped is killed for a start that it leaves unanswered, and the next one starts', async () => {
  const first = run('3600');
  await until('it runs', () => first.told.length > 0);
  const pid = spawner.pid();
  stop(pid);
  const second = run('3600');
  clock.advance(TOO_LONG_MS);
  await until('its death is told', () => second.told.length > 0);
  expect(first.told).toEqual(['start', 'exit', LOST]);
  expect(second.told).toEqual(['exit', LOST]);
  expect(logged.join('\n')).toContain('the process that starts programs is killed');
  clock.advance(0);
  expect(spawner.pid()).not.toBe(pid);
  const third = run('0');
  await until('it starts again', () => third.told.length === 3);
});

test('what is to be started while there is none is started by the next one, or ends when it is told to', async () => {
  const first = run('3600');
  await until('it runs', () => first.told.length > 0);
  process.kill(spawner.pid() ?? 0, 'SIGKILL');
  await until('its death is told', () => first.told.length > 1);
  const kept = run('0');
  const ended = run('3600');
  ended.group.signal('SIGTERM');
  await until('it has ended', () => ended.told.length > 0);
  expect(ended.told).toEqual(['was not started']);
  expect(kept.told).toEqual([]);
  clock.advance(TOO_LONG_MS);
  await until('it ran', () => kept.told.length === 3);
  expect(kept.told).toEqual(['start', 'exit', expect.stringContaining('exited with status 0')]);
});

test.each([
  ['exit 0', 0],
  ['exit 7', 7],
  ['kill -KILL $$', null],
])('the end of sh -c "%s" carries status %s', async (script, status) => {
  const ran = runProgram('/bin/sh', '-c', script);
  await until('it has ended', () => ran.told.length === 3);
  expect(ran.status()).toBe(status);
});

test('the end of what cannot be started carries no status', async () => {
  const ran = runProgram('/no/such/program');
  await until('it is told', () => ran.told.length === 1);
  expect(ran.told[0]).toMatch(/^cannot be started: /);
  expect(ran.status()).toBe(null);
});

test('one that is stopped is killed for a signal that it does not pass on', async () => {
  const { group, told } = run('3600');
  await until('it runs', () => told.length > 0);
  clock.advance(1000);
  await until('the start is confirmed', () => clock.pending === 0);
  stop(spawner.pid());
  group.signal('SIGTERM');
  clock.advance(TOO_LONG_MS);
  await until('its death is told', () => told.length > 1);
  expect(told).toEqual(['start', 'exit', LOST]);
});

test('one that has nothing to do is asked nothing, stopped or not', async () => {
  const { told } = run('0');
  await until('it has ended', () => told.length === 3);
  clock.advance(1000);
  await until('all is confirmed', () => clock.pending === 0);
  const pid = spawner.pid();
  stop(pid);
  clock.advance(TOO_LONG_MS);
  expect(clock.pending).toBe(0);
  expect(spawner.pid()).toBe(pid);
  expect(logged).toEqual([]);
});

test('a model that is wanted while it is stopped starts', async () => {
  const ours = createFakeClock();
  const setup = await createLocalSetup({ clock: ours });
  try {
    stop(spawners(setup.stateId)[0]);
    const workload = setup.workload({ runtime: 'command', args: programArgs('serve') });
    await setup.runtime.prepare(workload);
    await setup.runtime.want(workload, wanted(1));
    await until('another one is ready', () => {
      ours.advance(50);
      return setup.runtime.instances(workload.key).some(({ state }) => state === 'ready');
    });
    expect(setup.events.filter(({ type }) => type === 'failed')).toMatchObject([
      { reason: LOST, failures: 0 },
    ]);
  } finally {
    await setup.close();
  }
});

test('closing ends what runs, though the process that would end it is stopped', async () => {
  const setup = await createLocalSetup();
  await setup.ready(setup.workload({ runtime: 'command', args: programArgs('serve') }));
  const [pid = 0] = spawners(setup.stateId);
  stop(pid);
  await setup.close();
  expect(setup.events.at(-1)).toMatchObject({ type: 'stopped' });
  await until('nothing is left', () => pidsMarked(setup.stateId).length === 0);
  expect(spawners(setup.stateId)).toEqual([]);
});

test('closing ends it, though it is stopped and has nothing to do', async () => {
  const pid = spawner.pid() ?? 0;
  stop(pid);
  const closed = spawner.close();
  clock.advance(TOO_LONG_MS);
  await closed;
  expect(systemProcesses.stat(pid)?.isDead ?? true).toBe(true);
  expect(logged.join('\n')).toContain('it does not end');
});
