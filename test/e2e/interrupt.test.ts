import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { makeFolder, removeFolder, serveArguments, untilNoProcess } from './platform.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const teardown = useTeardown();

test.each([
  ['in one process', []],
  ['with workers', ['--workers', '2']],
])('Ctrl-C while it starts, %s, is an orderly end and nothing to complain of', async (_, more) => {
  const folder = await makeFolder();
  teardown(() => removeFolder(folder));
  const samples = join(ROOT, 'functions/samples');
  const child = spawn(
    process.execPath,
    [join(ROOT, 'src/main.ts'), ...serveArguments(folder), '--apply', samples, ...more],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  teardown(() => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  await until('it has taken its folder', () => existsSync(join(folder, 'state', 'owner')));
  child.kill('SIGINT');
  expect(await exited).toEqual([0, null]);
  expect((await output).join('')).not.toMatch(/problem|No models|Try:/);
  await untilNoProcess(folder);
});
