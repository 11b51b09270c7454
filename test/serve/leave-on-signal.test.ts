import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { INTERRUPTED } from '#lib/exit-status.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';

const PROGRAM = join(import.meta.dirname, 'leave-child.ts');
const teardown = useTeardown();

function run(how: string) {
  const child = spawn(process.execPath, [PROGRAM, how], { stdio: ['ignore', 'pipe', 'pipe'] });
  teardown(() => child.kill('SIGKILL'));
  const said: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => said.push(line));
  }
  const ended = once(child, 'close').then(([status]: (number | null)[]) => status);
  return { child, said, ended };
}

test('a program says that it leaves, and closes then', async () => {
  const { child, said, ended } = run('well');
  await until('it runs', () => said.includes('runs'));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(said.filter((line) => !line.startsWith('{'))).toEqual(['runs', 'leaves', 'closes']);
});

test('one that does not close well says so, and ends', async () => {
  const { child, said, ended } = run('badly');
  await until('it runs', () => said.includes('runs'));
  child.kill('SIGTERM');
  expect(await ended).toBe(1);
  expect(said.join('\n')).toContain('a part of it does not end');
});

test('the second signal ends it at once', async () => {
  const { child, said, ended } = run('late');
  await until('it runs', () => said.includes('runs'));
  child.kill('SIGINT');
  await until('it leaves', () => said.includes('leaves'));
  child.kill('SIGTERM');
  expect(await ended).toBe(INTERRUPTED);
});
