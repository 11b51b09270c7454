import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createGuard, type Guard } from '#runtime/local/process/guard.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';

/** More than the silence that a sound process is granted. */
const TOO_LONG_MS = 15_000;
/** Nothing has this number: nothing is killed should the test die. */
const NOBODY = { pid: 2 ** 22 + 1, startTicks: 1 };

let clock: FakeClock;
let logged: string[];
let folder: string;
let guard: Guard;

beforeEach(async () => {
  clock = createFakeClock();
  logged = [];
  folder = await mkdtemp(join(tmpdir(), 'rouse-watchdog-'));
  const log = pino({}, { write: (line) => logged.push(line) });
  const mark = `test-${process.pid}/`;
  guard = createGuard({ node: process.execPath, mark, runFolder: folder, clock, log });
});
afterEach(async () => {
  await guard.close();
  await rm(folder, { recursive: true, force: true });
});

function isThere(pid: number): boolean {
  return systemProcesses.stat(pid) !== undefined;
}

function freeze(): number {
  const pid = guard.pid();
  if (pid === undefined) throw new Error('it does not run');
  process.kill(pid, 'SIGSTOP');
  return pid;
}

test('one that hangs is replaced when it is told something', async () => {
  const frozen = freeze();
  clock.advance(TOO_LONG_MS);
  expect(guard.pid()).toBe(frozen);
  guard.add(NOBODY);
  clock.advance(TOO_LONG_MS);
  await until('it has ended', () => !isThere(frozen));
  await until('there is another', () => {
    clock.advance(1);
    return guard.pid() !== frozen && guard.pid() !== undefined;
  });
  expect(logged.join('')).toContain('it answers nothing');
});

test('a sound one answers, and stays', async () => {
  const pid = guard.pid();
  for (let round = 0; round < 3; round += 1) {
    guard.add(NOBODY);
    guard.remove(NOBODY.pid);
    for (let looks = 0; looks < 9; looks += 1) clock.advance(1000);
    await until('it has answered', () => clock.pending === 0);
  }
  clock.advance(10 * TOO_LONG_MS);
  expect(guard.pid()).toBe(pid);
  expect(logged).toEqual([]);
});

test('one that hangs does not keep Rouse from ending', async () => {
  const frozen = freeze();
  const closed = guard.close();
  clock.advance(TOO_LONG_MS);
  await closed;
  expect(isThere(frozen)).toBe(false);
});
