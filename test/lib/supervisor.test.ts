import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { silentLog } from '#lib/log.ts';
import { createSupervisor } from '#lib/supervisor.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function supervise() {
  const clock = createFakeClock();
  const start = (): ChildProcess => {
    const child = spawn('sleep', ['3600'], { stdio: 'ignore' });
    children.push(child);
    return child;
  };
  const supervisor = createSupervisor({ name: 'a test', start, clock, log: silentLog });
  async function end(child: ChildProcess | undefined): Promise<void> {
    child?.kill('SIGKILL');
    if (child) await once(child, 'exit');
    clock.advance(0);
  }
  return { clock, supervisor, end };
}

test('what ends is replaced: at once after a first accident, then later and later', async () => {
  const { clock, supervisor, end } = supervise();
  await end(children[0]);
  expect(children).toHaveLength(2);
  for (const wait of [1000, 2000, 4000]) {
    const before = children.length;
    await end(children.at(-1));
    clock.advance(wait - 1);
    expect(children).toHaveLength(before);
    clock.advance(1);
    expect(children).toHaveLength(before + 1);
  }
  clock.advance(10_000);
  await end(children.at(-1));
  expect(children).toHaveLength(6);
  supervisor.kill();
  await supervisor.close();
});

test('what was ready is replaced within a second, however often it is killed, and whatever was before', async () => {
  const { clock, supervisor, end } = supervise();
  const latest = (): ChildProcess => children.at(-1)!;
  const endAndWait = async (ms: number): Promise<void> => {
    const before = children.length;
    await end(latest());
    clock.advance(ms);
    expect(children).toHaveLength(before + 1);
  };
  for (const wait of [0, 1000, 2000, 4000]) await endAndWait(wait);
  for (let kill = 0; kill < 5; kill += 1) {
    supervisor.ready(latest());
    await endAndWait(1000);
  }
  // One whose place another has taken says nothing of this one.
  const gone = latest();
  await endAndWait(2000);
  supervisor.ready(gone);
  await endAndWait(4000);
  supervisor.kill();
  await supervisor.close();
});

test('one that is relieved lives on, and its end starts nobody', async () => {
  const { supervisor, end } = supervise();
  supervisor.relieve();
  expect(children.map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([null, null]);
  await end(children[0]);
  expect(children).toHaveLength(2);
  await end(children[1]);
  expect(children).toHaveLength(3);
  supervisor.kill();
  await supervisor.close();
});

test('closed, it waits for all that had the place, and starts nobody', async () => {
  const { clock, supervisor, end } = supervise();
  supervisor.relieve();
  let closed = false;
  const closing = supervisor.close().then(() => (closed = true));
  await end(children[1]);
  expect(closed).toBe(false);
  await end(children[0]);
  await closing;
  clock.advance(100_000);
  supervisor.relieve();
  expect(children).toHaveLength(2);
});

test('a program that cannot be started is tried again', async () => {
  const clock = createFakeClock();
  let tries = 0;
  const start = (): ChildProcess => {
    tries += 1;
    return spawn('/nowhere/at/all', { stdio: 'ignore' });
  };
  const supervisor = createSupervisor({ name: 'a test', start, clock, log: silentLog });
  while (tries < 3) {
    await new Promise((next) => setImmediate(next));
    clock.advance(1000);
  }
  await supervisor.close();
});
