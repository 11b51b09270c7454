import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import type { Instance, Workload } from '#runtime/runtime.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { wanted } from '../../conformance.ts';
import {
  createLocalSetup,
  pidsMarked,
  programArgs,
  spawners,
  type LocalSetup,
} from '../harness.ts';
import { ask } from '../../request.ts';

let setup: LocalSetup;
let clock: FakeClock;

/** Time goes on by itself, for what is polled; a test lets more of it pass. */
let flow: NodeJS.Timeout;
const STEP_MS = 5;

beforeEach(async () => {
  clock = createFakeClock();
  flow = setInterval(() => clock.advance(STEP_MS), STEP_MS);
  setup = await createLocalSetup({ clock });
});
afterEach(async () => {
  await setup.close();
  clearInterval(flow);
});

/** As /proc says it: R, S, T for stopped, … */
function stateOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text[text.lastIndexOf(')') + 2] ?? '';
}

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
  await until('the family is there', () => family().length >= 3);
  const pids = family();
  const frozenBefore = pids.filter((pid) => stateOf(pid) === 'T');
  await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
  setup.runtime.release(instance.id);
  await until('all are frozen', () => pids.every((pid) => stateOf(pid) === 'T'));
  await setup.runtime.want(workload, wanted(1));
  expect(frozenBefore.length).toBeLessThan(pids.length);
  await until('all go on', () => pids.every((pid) => stateOf(pid) !== 'T'));
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

test('it is woken at once, whatever the process does that has started it', async () => {
  const workload = setup.workload({ runtime: 'command', args: programArgs('serve') });
  const { id, address } = await park(workload);
  const pids = pidsMarked(`${setup.stateId}/${id}\0`);
  await until('it is frozen', () => pids.length > 0 && pids.every((pid) => stateOf(pid) === 'T'));
  const [spawner = 0] = spawners(setup.stateId);
  process.kill(spawner, 'SIGSTOP');
  await setup.runtime.want(workload, wanted(1));
  expect((await ask(address)).status).toBe(200);
  process.kill(spawner, 'SIGCONT');
});

const MAPPED_BYTES = 64 * 2 ** 20;

test.skipIf(process.getuid?.() !== 0)(
  'what is parked for long is paged out, counts with what is left, and works when it is woken (needs root)',
  async () => {
    const path = join(setup.folder, 'weights');
    const file = await open(path, 'w');
    await file.write(Buffer.alloc(MAPPED_BYTES, 1));
    // Only what is on the disk already can be dropped from memory.
    await file.sync();
    await file.close();
    const workload = setup.workload({ runtime: 'command', args: programArgs('mapped', path) });
    const instance = await setup.ready(workload);
    const memory = (): number => {
      clock.advance(2000);
      return find(instance.id)?.memoryBytes ?? 0;
    };
    await until('all is in memory', () => memory() > MAPPED_BYTES);
    await setup.runtime.want(workload, { ...wanted(0), parked: 1 });
    setup.runtime.release(instance.id);
    clock.advance(8000);
    expect(find(instance.id)?.memoryBytes).toBeGreaterThan(MAPPED_BYTES);
    clock.advance(2000);
    await until('most of it is gone', () => memory() < MAPPED_BYTES / 2);
    await setup.runtime.want(workload, wanted(1));
    expect((await ask(find(instance.id)?.address)).body).toBe(String(MAPPED_BYTES));
  },
);
