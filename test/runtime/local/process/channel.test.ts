import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Group } from '#runtime/local/process/group.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { createSpawner, type Spawner } from '#runtime/local/process/spawner.ts';
import { createFakeClock, type FakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';

/** What Rouse and a program say to each other without the spawner. */

const PATIENCE_MS = 20_000;

let folder: string;
let clock: FakeClock;
let spawner: Spawner;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-channel-'));
  const log = pino({ enabled: false });
  clock = createFakeClock();
  spawner = createSpawner({ environment: {}, clock, log });
});
afterEach(async () => {
  spawner.kill('the test is over');
  await spawner.close();
  await rm(folder, { recursive: true });
});

interface Ran {
  readonly group: Group;
  /** What it has said, the last time that it said something. */
  readonly said: () => string;
  readonly told: string[];
}

/** A script of a shell; its folder is empty. */
function run(script: string): Ran {
  const told: string[] = [];
  let said = '';
  const program = { path: '/bin/sh', args: ['-c', script], cwd: folder, environment: {} };
  const group = spawner.start(program, 'channel', {
    onStart: () => told.push('start'),
    onLine: (_, text) => told.push(text),
    onExtra: (text) => (said = text),
    onExit: () => told.push('exit'),
    onEnd: ({ how }) => told.push(`${said.length} characters, ${how}`),
  });
  return { group, said: () => said, told };
}

/** Nothing else happens in this process until then. */
function blockUntil(file: string): void {
  const begun = performance.now();
  while (!existsSync(join(folder, file))) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`waited in vain for ${file}`);
  }
}

/** By then the spawner has told all that it saw before. */
async function runAnother(): Promise<void> {
  const another = run('exit 0');
  await until('another one has ended', () => another.told.length === 3);
}

test('a program is given its work, and what it says counts from then', async () => {
  const { group, said, told } = run('echo idle >&3; read work <&3; echo "done: $work" >&3');
  await until('it is idle', () => said() === 'idle\n');
  group.assign('all of it\n');
  await until('it has ended', () => told.length === 3);
  expect(said()).toBe('done: all of it\n');
});

test('what it says before its channel is here is heard', async () => {
  await runAnother();
  const ran = run('echo idle >&3; echo said; touch said; read work <&3');
  blockUntil('said');
  await until('it is heard', () => ran.said() === 'idle\n');
  ran.group.signal('SIGKILL');
  await until('it has ended', () => ran.told.some((text) => text.includes('SIGKILL')));
});

/**
 * It has ended; a child of it still holds the channel, and nothing else of it, from its first moment on. It says `late`
 * there when it is told to.
 */
const LEAVES_A_CHILD = 'exec > /dev/null 2>&1; mkfifo go; (read work < go; echo late >&3) &';

test('its end is told after all that was said', async () => {
  const { told } = run(LEAVES_A_CHILD);
  await until('it has ended', () => told.length === 2);
  await runAnother();
  expect(told).toEqual(['start', 'exit']);
  await writeFile(join(folder, 'go'), '\n');
  await until('its end is told', () => told.length === 3);
  expect(told[2]).toMatch(/^5 characters, exited with status 0/);
});

test('what its children may say is not waited for long', async () => {
  const { told } = run(LEAVES_A_CHILD);
  await until('it has ended', () => told.length === 2);
  await runAnother();
  clock.advance(100);
  await until('its end is told', () => told.length === 3);
  expect(told[2]).toMatch(/^0 characters, exited with status 0/);
  await writeFile(join(folder, 'go'), '\n');
});

test('who says too much reads the end of its input, and is heard no more', async () => {
  const { said, told } = run(
    'exec 2> /dev/null; head -c 5000000 /dev/zero | tr "\\0" x >&3; cat <&3; echo closed',
  );
  await until('it has ended', () => told.length === 4);
  expect(told.slice(0, 3)).toEqual(['start', 'closed', 'exit']);
  expect(said().length).toBeLessThanOrEqual(4 * 1024 * 1024);
});

test('when the spawner dies, it reads the end of its input', async () => {
  const { group, said, told } = run('echo idle >&3; read work <&3; exit 1');
  await until('it is idle', () => said() === 'idle\n');
  const pid = group.leader?.pid ?? 0;
  process.kill(spawner.pid() ?? 0, 'SIGKILL');
  await until('its end is told', () => told.length === 3);
  expect(told[2]).toMatch(/has died$/);
  await until('it has ended', () => systemProcesses.stat(pid)?.isDead ?? true);
  group.assign('too late\n');
  expect(told).toHaveLength(3);
});
