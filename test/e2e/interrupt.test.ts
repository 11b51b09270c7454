import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { openCaller } from './caller.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  removeFolder,
  serveArguments,
  startPlatform,
  untilNoProcess,
} from './platform.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** At 5 ms each: well after the signal has reached everybody. */
const PIECES = 400;
const teardown = useTeardown();

const NEVER_READY = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: never }
spec:
  revision: { name: v1, runtime: command, args: [sleep, '3600'], readiness: { timeout: 1h } }
`;

test.each([
  ['in one process', []],
  ['with workers', ['--workers', '2']],
])('Ctrl-C while it starts, %s, is an orderly end and nothing to complain of', async (_, more) => {
  const folder = await makeFolder();
  teardown(() => removeFolder(folder));
  const samples = join(folder, 'samples');
  await cp(join(ROOT, 'functions/samples'), samples, { recursive: true });
  // However late the signal comes, the start is not over.
  await writeFile(join(samples, 'never.yaml'), NEVER_READY);
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

test.each([
  { signal: 'SIGINT', how: 'in one process', more: [] },
  { signal: 'SIGTERM', how: 'in one process', more: [] },
  { signal: 'SIGHUP', how: 'in one process', more: [] },
  { signal: 'SIGINT', how: 'with workers', more: ['--workers', '2'] },
  { signal: 'SIGTERM', how: 'with workers', more: ['--workers', '2'] },
  { signal: 'SIGHUP', how: 'with workers', more: ['--workers', '2'] },
] as const)(
  '$signal to the whole process group, passed on by the parent besides, lets a stream finish, $how',
  async ({ signal, more }) => {
    const folder = await makeFolder();
    teardown(() => removeFolder(folder));
    const args = ['--pool', '0', ...more];
    const platform = await startPlatform(folder, { args, env: ENV, group: true });
    teardown(() => platform.end('SIGKILL'));
    const log = join(folder, 'log');
    const file = join(folder, 'app.yaml');
    await writeFile(
      file,
      `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec: { revision: { runtime: command, args: ${numberedArgs(log)} } }
`,
    );
    expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
    const caller = await openCaller(platform.port);
    teardown(() => caller.close());
    const answer = caller.call({ headers: { 'x-number': '1', 'x-stream': String(PIECES) } });
    await until('the stream has begun', () => existsSync(log));
    expect(await platform.end(signal)).toBe(0);
    expect(await answer).toMatchObject({ status: 200, whole: true });
    await untilNoProcess(folder);
  },
);
