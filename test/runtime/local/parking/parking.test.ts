import { once } from 'node:events';
import { connect } from 'node:net';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import type { Instance, Workload } from '#runtime/runtime.ts';
import { createFakeClock, type FakeClock, letFlow } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { wanted } from '../../conformance.ts';
import {
  createLocalSetup,
  isStopped,
  pidsMarked,
  programArgs,
  spawners,
  type LocalSetup,
} from '../harness.ts';
import { ask } from '../../request.ts';

let setup: LocalSetup;
let clock: FakeClock;

/** Time goes on by itself; a test lets more of it pass. */
let endFlow: () => void;

beforeEach(async () => {
  clock = createFakeClock();
  endFlow = letFlow(clock);
  setup = await createLocalSetup({ clock });
});
afterEach(async () => {
  await setup.close();
  endFlow();
});

const find = (id: string): Instance | undefined =>
  setup.runtime.instances().find((one) => one.id === id);

async function park(workload: Workload): Promise<Instance> {
  const instance = await setup.ready(workload);
  await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
  setup.runtime.release(instance.id);
  expect(find(instance.id)?.state).toBe('parked');
  return instance;
}

test('all of it is frozen, what left its session included, and all goes on', async () => {
  const workload = setup.workload({ runtime: 'command', args: programArgs('family') });
  const instance = await setup.ready(workload);
  const mark = `${setup.stateId}/${instance.id}\0`;
  const leader = pidsMarked(mark).find((pid) => systemProcesses.stat(pid)?.session === pid) ?? 0;
  const family = (): number[] => {
    const found = new Set([leader]);
    for (const pid of found) for (const child of systemProcesses.children(pid)) found.add(child);
    return Array.from(found);
  };
  // One of them stops itself: later it would do so after it was told to go on.
  await until('the family is there', () => family().length >= 5 && family().some(isStopped));
  const pids = family();
  const frozenBefore = pids.filter(isStopped);
  await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
  setup.runtime.release(instance.id);
  await until('all are frozen', () => pids.every(isStopped));
  await setup.runtime.want(workload, wanted(1));
  expect(frozenBefore).toHaveLength(1);
  await until('all go on', () => !pids.some(isStopped));
  expect((await ask(find(instance.id)?.address)).status).toBe(200);
});

test('a parked program takes connections, and answers when it is woken', async () => {
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve') });
  const { id, address } = await park(workload);
  if (!address || !('port' in address)) throw new Error('no port');
  const early = connect(address.port, address.host);
  await once(early, 'connect');
  early.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await setup.runtime.want(workload, wanted(1));
  const [answer] = await once(early, 'data');
  expect(String(answer)).toContain('200');
  early.destroy();
  expect(find(id)?.state).toBe('ready');
});

test('sent something while it is parked, it answers when it is resumed, and also when it is to end', async () => {
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve') });
  const { id, address } = await park(workload);
  const first = ask(address);
  setup.runtime.resume(id);
  expect(find(id)?.state).toBe('ready');
  expect((await first).status).toBe(200);
  await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
  setup.runtime.release(id);
  const pids = pidsMarked(`${setup.stateId}/${id}\0`);
  await until('it is frozen', () => pids.every(isStopped));
  const second = ask(address);
  await setup.runtime.want(workload, wanted(0));
  expect(find(id)?.state).toBe('draining');
  expect((await second).status).toBe(200);
  setup.runtime.release(id);
  await until('it has ended', () => find(id) === undefined);
});

test('it is woken at once, whatever the process does that has started it', async () => {
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve') });
  const { id, address } = await park(workload);
  const pids = pidsMarked(`${setup.stateId}/${id}\0`);
  await until('it is frozen', () => pids.length > 0 && pids.every(isStopped));
  const [spawner = 0] = spawners(setup.stateId);
  process.kill(spawner, 'SIGSTOP');
  await setup.runtime.want(workload, wanted(1));
  expect((await ask(address)).status).toBe(200);
  process.kill(spawner, 'SIGCONT');
});

const MAPPED_BYTES = 64 * 2 ** 20;

test.skipIf(process.getuid?.() !== 0)(
  'what is parked and nobody holds anything of is paged out, counts with what is left, and works when it is woken (needs root)',
  async () => {
    const path = join(setup.folder, 'weights');
    const file = await open(path, 'w');
    await file.write(Buffer.alloc(MAPPED_BYTES, 1));
    // Only what is on the disk already can be dropped from memory.
    await file.sync();
    await file.close();
    const workload = setup.workload({ runtime: 'command', args: programArgs('mapped', path) });
    const instance = await setup.ready(workload);
    const memory = (): number => find(instance.id)?.memoryBytes ?? 0;
    clock.advance(2000);
    await until('all is in memory', () => memory() > MAPPED_BYTES);
    await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
    setup.runtime.release(instance.id);
    clock.advance(60_000);
    expect(memory()).toBeGreaterThan(MAPPED_BYTES);
    setup.runtime.release(instance.id);
    // Measured as time goes on by itself: by the clock, too, it may take so long and no longer.
    await until('most of it is gone', () => memory() < MAPPED_BYTES / 2);
    await setup.runtime.want(workload, wanted(1));
    expect((await ask(find(instance.id)?.address)).body).toBe(String(MAPPED_BYTES));
  },
);
