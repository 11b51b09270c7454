import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createLowPriority } from '#runtime/local/low-priority.ts';
import { findProgram } from '#test/find-program.ts';

/** Its niceness and its scheduling policy, as proc(5) has them; 5 is the idle one. */
const TELL = `const { readFileSync } = require('node:fs');
const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');
console.log(fields[16], fields[38], process.argv[1])`;

async function run(path: string | undefined): Promise<string[]> {
  const lower = createLowPriority(path);
  const args = ['-e', TELL, 'an argument'];
  const program = { path: process.execPath, args, cwd: '/', environment: {} };
  const low = await lower(program);
  const { stdout } = await promisify(execFile)(low.path, [...low.args]);
  return stdout.trim().split(/ (?=an)| /);
}

async function withOnly(names: readonly string[], work: (path: string) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-low-'));
  try {
    for (const name of names)
      await symlink(findProgram(name, process.env) ?? '', join(folder, name));
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const hasChrt = findProgram('chrt', process.env) !== undefined;

test.skipIf(!hasChrt)('runs under the idle policy (needs chrt)', async () => {
  expect((await run(process.env['PATH']))[1]).toBe('5');
});

test('is as nice as it goes where there is no chrt', async () => {
  await withOnly(['nice'], async (path) => expect((await run(path))[0]).toBe('19'));
});

test('runs as it is where there is neither', async () => {
  await withOnly([], async (path) => expect((await run(path))[1]).toBe('0'));
});
