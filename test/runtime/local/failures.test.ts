import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import type { Instance, Workload } from '#runtime/runtime.ts';
import { until } from '#test/until.ts';
import { wanted } from '../conformance.ts';
import { createLocalSetup, pidsMarked, programArgs, spawners, type LocalSetup } from './harness.ts';
import { ask } from '../request.ts';

let setup: LocalSetup;

beforeEach(async () => {
  setup = await createLocalSetup();
});
afterEach(() => setup.close());

function command(...args: string[]): Workload {
  return setup.workload({ runtime: 'command', args });
}

test('what ends at its start is told with status and last lines', async () => {
  const { reason, lastLines, failures, instance } = await setup.failed(
    command(...programArgs('print')),
  );
  expect(reason).toMatch(/^exited with status 7 after \d+\.\ds$/);
  expect(failures).toBe(1);
  expect(instance.readyAt).toBe(0);
  expect(lastLines).toContain('to stderr');
  expect(lastLines.at(-1)).toBe('no end');
});

test('output is kept as lines that are safe to show', async () => {
  const workload = command(...programArgs('print'));
  await setup.failed(workload);
  const lines = await setup.runtime.logs(workload.key, 100);
  const text = lines.filter((line) => line.stream === 'stdout').map((line) => line.text);
  expect(text).toEqual([
    'plain',
    '\\x1b[31mred\\x07',
    `${'y'.repeat(8192)}… (cut)`,
    'after \ufffd',
    'no end',
  ]);
  expect(await setup.runtime.logs(workload.key, 2)).toEqual(lines.slice(-2));
  expect(await setup.runtime.logs('default/unknown/v1', 2)).toEqual([]);
});

test('endless output fills nothing and delays nobody', async () => {
  const flood = command(...programArgs('flood'));
  const sound = command(...programArgs('serve'));
  await setup.runtime.want(flood, wanted(1));
  const { address } = await setup.ready(sound);
  const lines = () => setup.runtime.logs(flood.key, 10_000);
  await until('as many lines are kept as can be', async () => (await lines()).length === 1000);
  const first = (await lines())[0]?.at;
  await until('older lines gave way', async () => (await lines())[0]?.at !== first);
  expect(await lines()).toHaveLength(1000);
  expect((await ask(address)).status).toBe(200);
});

test('a program that vanished after it was prepared is a failed start', async () => {
  const program = join(setup.folder, 'server');
  await writeFile(program, '#!/bin/sh\n');
  await chmod(program, 0o755);
  const workload = command(program);
  await setup.runtime.prepare(workload);
  await rm(program);
  expect((await setup.failed(workload)).reason).toMatch(/^cannot be started: .*ENOENT/);
});

test('a file that is no program is a failed start', async () => {
  const program = join(setup.folder, 'server');
  await writeFile(program, '\u0000\u0001 not a program');
  await chmod(program, 0o755);
  expect((await setup.failed(command(program))).reason).toMatch(/^exited with status 127 /);
});

/** Found by the chain of parents, which the end of the first process cuts. */
async function familyOf(instance: Instance): Promise<number[]> {
  const mark = `${setup.stateId}/${instance.id}\0`;
  const [leader = 0] = pidsMarked(mark);
  const parents = new Set([leader]);
  await until('the family is there', () => {
    const all = systemProcesses.list();
    for (const pid of parents) {
      for (const stat of all) if (stat.parent === pid) parents.add(stat.pid);
    }
    return parents.size >= 5;
  });
  return Array.from(parents);
}

const isThere = (pid: number): boolean => systemProcesses.stat(pid)?.isDead === false;

test('what an instance leaves behind ends with it, wherever it went', async () => {
  const instance = await setup.ready(command(...programArgs('family')));
  const mark = `${setup.stateId}/${instance.id}\0`;
  const family = await familyOf(instance);
  const [leader = 0] = family;
  process.kill(leader, 'SIGKILL');
  await until('the crash is told', () => setup.events.some(({ type }) => type === 'failed'));
  await until('nothing is left', () => pidsMarked(mark).length === 0);
  // The one with neither mark nor session is lost sight of: decision 0006.
  for (const pid of family.filter(isThere)) systemProcesses.signal(pid, 'SIGKILL');
});

test('when the process that starts programs is killed, its instances end, and the next one starts', async () => {
  const workload = command(...programArgs('family'));
  const first = await setup.ready(workload);
  const family = await familyOf(first);
  const [spawner = 0] = spawners(setup.stateId);
  process.kill(spawner, 'SIGKILL');
  await until('the crash is told', () => setup.events.some(({ type }) => type === 'failed'));
  const failed = setup.events.find(({ type }) => type === 'failed');
  expect(failed).toMatchObject({
    instance: { id: first.id },
    reason: 'was ended: the process that starts programs has died',
  });
  await until('nothing is left', () => pidsMarked(`${setup.stateId}/${first.id}\0`).length === 0);
  await until('another one is ready', () =>
    setup.runtime
      .instances(workload.key)
      .some(({ id, state }) => id !== first.id && state === 'ready'),
  );
  expect(spawners(setup.stateId)).not.toContain(spawner);
  for (const pid of family.filter(isThere)) systemProcesses.signal(pid, 'SIGKILL');
});

test('who has neither mark nor session ends with an instance that is put to sleep', async () => {
  const workload = command(...programArgs('family'));
  const instance = await setup.ready(workload);
  const family = await familyOf(instance);
  await setup.runtime.want(workload, wanted(0));
  setup.runtime.release(instance.id);
  await until('nothing is left', () => !family.some(isThere));
});

test('who has neither mark nor session ends with Rouse', async () => {
  const family = await familyOf(await setup.ready(command(...programArgs('family'))));
  await setup.runtime.close(10_000);
  // Killed by then; the system takes a moment for each.
  await until('nothing is left', () => !family.some(isThere));
});

test('memory and CPU are those of the whole family', async () => {
  const instance = await setup.ready(command(...programArgs('family')));
  const now = () => setup.runtime.instances().find(({ id }) => id === instance.id);
  // Three Python processes, each of which takes its time to start; one alone has less than 20 MiB.
  await until('all are measured', () => (now()?.memoryBytes ?? 0) > 20 * 2 ** 20);
  expect(now()?.cpuSeconds).toBeGreaterThan(0);
});

test('close ends what ignores it, what is frozen, and what got away', async () => {
  const family = command(...programArgs('family'));
  const artifact = await setup.putText('model.js', 'stubborn');
  const stubborn = setup.workload({ runtime: 'function', source: 'model.js' }, artifact);
  await setup.ready(family);
  await setup.ready(stubborn);
  await until('the family is there', () => pidsMarked(setup.stateId).length >= 4);
  await setup.runtime.close(50);
  expect(setup.runtime.instances()).toEqual([]);
  await until('nothing is left', () => pidsMarked(setup.stateId).length === 0);
});
