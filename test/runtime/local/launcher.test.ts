import { type ChildProcess, fork } from 'node:child_process';
import { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import { systemClock } from '#lib/clock.ts';
import { createLauncher } from '#runtime/local/launcher.ts';
import type { ProcessEvents } from '#runtime/local/process/process-host.ts';
import { until } from '#test/until.ts';
import { fixture } from './harness.ts';

let child: ChildProcess | undefined;

afterEach(() => child?.kill('SIGKILL'));

test('an instance has started before it is ready, also when it answers before its start is told', async () => {
  let told: ProcessEvents | undefined;
  const launch = createLauncher({
    node: 'here',
    runFolder: tmpdir(),
    clock: systemClock,
    start(_id, _program, extra, events) {
      if (!(extra instanceof Server)) throw new Error('there is no socket to hand over');
      child = fork(fixture('take-socket.ts'));
      child.send('take', extra, () => extra.close());
      told = events;
      const group = { leader: undefined, signal: () => {}, assign: () => {} };
      return { group, origin: 'fresh' };
    },
    pager: { pageOut: () => {} },
    lowPriority: async (program) => program,
    base: {},
    readSecret: async () => undefined,
    prepared: () => ({ source: undefined, program: '', args: [], cwd: '/', variables: {} }),
    onLine: () => {},
    takeBound: () => undefined,
    onUsage: () => {},
  });
  const spec = revisionSpec.parse({ runtime: 'command', args: ['program', '${LISTEN_FD}'] });
  const reports: string[] = [];
  const launched = launch(
    { id: 'one', workload: { key: 'default/app/v1', spec } },
    {
      started: () => reports.push('started'),
      ready: () => reports.push('ready'),
      ended: (reason) => reports.push(reason),
    },
  );
  await until('it has answered', () => launched.seen?.() === 'GET / answered 200');
  expect(reports).toEqual([]);
  told?.onStart?.({ pid: child?.pid ?? 0, startTicks: 0 });
  expect(reports).toEqual(['started', 'ready']);
  told?.onExit?.();
});
