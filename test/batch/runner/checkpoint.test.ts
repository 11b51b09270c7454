import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCheckpoint } from '#batch/runner/checkpoint.ts';
import { createReportBook } from '#batch/runner/report.ts';
import { withTinyDisk } from '#test/store/tiny-disk.ts';
import { until } from '#test/until.ts';

const CHILD = resolve(import.meta.dirname, 'checkpoint-child.ts');
let folder: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-checkpoint-'));
});

afterEach(async () => {
  // One that still writes would put files into the folder while it is removed.
  await Promise.all(children.splice(0).map(kill));
  await rm(folder, { recursive: true });
});

function startWriter(): { child: ChildProcess; lines: string[] } {
  const child = spawn(process.execPath, ['--no-warnings', CHILD, folder]);
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return { child, lines };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Whether it has opened the file that only one can lock. */
async function isAtLock({ pid }: ChildProcess): Promise<boolean> {
  const open = `/proc/${pid}/fd`;
  const names = await readdir(open).catch(() => []);
  const files = await Promise.all(names.map((name) => readlink(join(open, name)).catch(() => '')));
  return files.some((file) => file.endsWith('/lock.db'));
}

test('after kill -9 each part is there that was told of, whole and without a gap', async () => {
  let told = 0;
  for (let round = 0; round < 3; round++) {
    const { child, lines } = startWriter();
    await until('some parts are written', () => lines.length > 5);
    await kill(child);
    told = Number(lines.at(-1)?.split(' ')[1]);
  }
  const checkpoint = openCheckpoint(folder);
  const { parts, next } = checkpoint;
  expect(parts.length).toBeGreaterThanOrEqual(told);
  for (const [index, part] of parts.entries()) {
    const first = index * 10;
    expect(part).toEqual({ number: index + 1, first, past: first + 10, rows: 9, failed: 1 });
  }
  expect(checkpoint.get('memory')?.requests).toBe(parts.length);
  expect(next).toBe(parts.length * 10);
  checkpoint.close();
});

test('whoever comes while another one lives gets it only when that one has ended', async () => {
  const first = startWriter();
  await until('it has it', () => first.lines.length > 2);
  const second = startWriter();
  await until('the second waits for it', () => isAtLock(second.child));
  const before = first.lines.length;
  await until('the first writes on', () => first.lines.length > before + 2);
  expect(second.lines).toEqual([]);
  await kill(first.child);
  await until('the second has it', () => second.lines.length > 1);
  const written = first.lines.length - 1;
  expect(Number(second.lines[0]?.split(' ')[1])).toBeGreaterThanOrEqual(written * 10);
});

test.each([
  ['checkpoint.db', 'start a new job'],
  ['lock.db', 'remove it'],
])('of a %s that is damaged it is said where it is and what to do', async (name, words) => {
  openCheckpoint(folder).close();
  await writeFile(join(folder, name), 'no database '.repeat(999));
  const path = join(folder, name);
  const told = expect.objectContaining({
    code: 'internal',
    message: expect.stringMatching(new RegExp(`${path} is no SQLite database: .*${words}`)),
  });
  expect(() => openCheckpoint(folder)).toThrow(told);
  // Nothing is held by who could not open it.
  await rm(path);
  openCheckpoint(folder).close();
});

test('what no longer fits on the disk is told as that, and what was there before stays', async (context) => {
  await withTinyDisk(context, async (disk) => {
    const checkpoint = openCheckpoint(disk);
    const { memory } = createReportBook(undefined);
    checkpoint.add({ number: 1, first: 0, past: 10, rows: 10, failed: 0 }, memory);
    await writeFile(join(disk, 'filler'), Buffer.alloc(8 * 2 ** 20)).catch(() => undefined);
    const full = expect.objectContaining({
      code: 'storage_full',
      message: expect.stringContaining(join(disk, 'checkpoint.db')),
    });
    expect(() => checkpoint.set('version', 'x'.repeat(2 ** 20))).toThrow(full);
    checkpoint.close();
    await rm(join(disk, 'filler'));
    const after = openCheckpoint(disk);
    expect(after.next).toBe(10);
    after.close();
  });
});

test('what is set is there for the next one', () => {
  const one = openCheckpoint(folder);
  one.set('version', 'abc');
  one.set('version', 'def');
  one.close();
  const other = openCheckpoint(folder);
  expect([other.get('version'), other.get('columns'), other.next]).toEqual(['def', undefined, 0]);
  other.close();
});
