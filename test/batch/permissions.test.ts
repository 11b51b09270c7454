import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { makeFolder } from './row-files.ts';

const end = useTeardown();
const CHILD = join(import.meta.dirname, 'permissions-child.ts');

async function saidOf(what: 'input' | 'output', path: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, what, path]);
  return stdout.trim();
}

async function makeOpenFolder(): Promise<string> {
  const folder = await makeFolder(end);
  await chmod(folder, 0o755);
  return folder;
}

test('an input that its user may not read is refused before work starts', async () => {
  const folder = await makeOpenFolder();
  const [path, closed] = [join(folder, 'in.csv'), join(folder, 'closed')];
  await writeFile(path, 'a\n1\n');
  await mkdir(closed);
  expect(await saidOf('input', path)).toBe('it is taken');
  for (const each of [path, closed]) await chmod(each, 0);
  const said = `forbidden: ${path} cannot be read: EACCES: permission denied`;
  expect(await saidOf('input', path)).toContain(said);
  expect(await saidOf('input', join(folder, '*.csv'))).toContain(said);
  expect(await saidOf('input', closed)).toContain(`forbidden: ${closed} cannot be read: EACCES`);
});

test('an output where its user may not write is refused before work starts', async () => {
  const folder = await makeOpenFolder();
  const path = join(folder, 'out.csv');
  await chmod(folder, 0o555);
  end(() => chmod(folder, 0o755));
  expect(await saidOf('output', path)).toMatch(/^forbidden: .*out\.csv/);
  await chmod(folder, 0o777);
  expect(await saidOf('output', path)).toBe('it is taken');
});
