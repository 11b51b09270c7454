import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';

/** Of a server that is to be ended by its signals only: its six seconds are longer than any test. */
const SLOW = 0.001;

/** A server that does not end by itself, whatever it is told. */
async function start(
  speed: number,
  ...how: ('tls' | 'held')[]
): Promise<{
  child: ChildProcessByStdio<Writable, Readable, null>;
  next: () => Promise<string>;
  /** Half a second passes. */
  later: () => Promise<void>;
  /** Its exit status, or the signal that ended it. */
  exited: Promise<unknown>;
}> {
  const program = resolve(import.meta.dirname, 'endings-child.ts');
  const child = spawn(process.execPath, [program, String(speed), ...how], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal);
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const later = async (): Promise<void> => {
    child.stdin.write('later');
    expect(await next()).toBe('later');
  };
  expect(await next()).toBe(how.includes('held') ? 'holds' : 'up');
  return { child, next, later, exited };
}

test('what does not end in time is killed, and the process ended by force', async () => {
  const { child, next, exited } = await start(100);
  child.kill('SIGTERM');
  expect(await next()).toBe('close 0 1000');
  expect(await next()).toBe('kill');
  expect(await exited).toBe(1);
});

test('the second signal ends it at once', async () => {
  const { child, next, later, exited } = await start(SLOW);
  child.kill('SIGINT');
  expect(await next()).toBe('close 0 1000');
  await later();
  child.kill('SIGINT');
  expect(await next()).toBe('kill');
  expect(await exited).toBe(130);
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '%s that comes again at once, as to a group of processes, is the same',
  async (signal) => {
    const { child, next, later, exited } = await start(SLOW);
    child.kill(signal);
    expect(await next()).toBe('close 0 1000');
    child.kill(signal);
    await later();
    child.kill('SIGTERM');
    expect(await next()).toBe('kill');
    expect(await exited).toBe(130);
  },
);

test('another signal at once is another one', async () => {
  const { child, next, exited } = await start(SLOW);
  child.kill('SIGINT');
  expect(await next()).toBe('close 0 1000');
  child.kill('SIGTERM');
  expect(await next()).toBe('kill');
  expect(await exited).toBe(130);
});

test('SIGHUP after SIGTERM, as systemd can send it, ends nothing at once', async () => {
  const { child, next, later } = await start(SLOW);
  child.kill('SIGTERM');
  expect(await next()).toBe('close 0 1000');
  await later();
  child.kill('SIGHUP');
  await later();
});

test('with certificates SIGHUP has them read again', async () => {
  const { child, next, later } = await start(SLOW, 'tls');
  child.kill('SIGHUP');
  expect(await next()).toBe('reload');
  await later();
  child.kill('SIGHUP');
  expect(await next()).toBe('reload');
});

test('a signal that comes twice while it starts closes it once it has started', async () => {
  const { child, next, later } = await start(SLOW, 'held');
  child.kill('SIGINT');
  child.kill('SIGINT');
  child.stdin.write('go on');
  const told = [await next(), await next()].toSorted();
  expect(told).toEqual(['close 0 1000', 'up']);
  await later();
});
