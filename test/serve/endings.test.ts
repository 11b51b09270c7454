import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';

/** A server that does not end by itself, whatever it is told. */
async function start(speed: number): Promise<{
  child: ChildProcessByStdio<null, Readable, null>;
  next: () => Promise<string>;
  /** Its exit status, or the signal that ended it. */
  exited: Promise<unknown>;
}> {
  const program = resolve(import.meta.dirname, 'endings-child.ts');
  const child = spawn(process.execPath, [program, String(speed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal);
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe('up');
  return { child, next, exited };
}

test('what does not end in time is killed, and the process ended by force', async () => {
  const { child, next, exited } = await start(100);
  child.kill('SIGTERM');
  expect(await next()).toBe('close 0 1000');
  expect(await next()).toBe('kill');
  expect(await exited).toBe(1);
});

test('the second signal ends it at once', async () => {
  const { child, next, exited } = await start(1);
  child.kill('SIGINT');
  expect(await next()).toBe('close 0 1000');
  child.kill('SIGINT');
  expect(await next()).toBe('kill');
  expect(await exited).toBe(130);
});
