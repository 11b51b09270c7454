import { type ChildProcess, fork } from 'node:child_process';
import { Server } from 'node:net';

import { afterEach, expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import { systemClock } from '#lib/clock.ts';
import { openPort, type Transport } from '#runtime/local/ready/transport.ts';
import { until } from '#test/until.ts';
import { fixture } from '../harness.ts';

const PROGRAM = fixture('take-socket.ts');
let child: ChildProcess | undefined;
let transport: Transport | undefined;

afterEach(() => {
  child?.kill('SIGKILL');
  transport?.close();
});

test('the question waits in the socket; an answer before anybody says that the program runs is kept', async () => {
  const spec = revisionSpec.parse({ runtime: 'command', args: ['program', '${LISTEN_FD}'] });
  const workload = { key: 'default/app/v1', spec };
  transport = await openPort(
    { clock: systemClock, node: 'here', usedPorts: new Set(), takeBound: () => undefined },
    workload,
  );
  const { extra } = transport;
  if (!(extra instanceof Server)) throw new Error('there is no socket to hand over');
  child = fork(PROGRAM);
  child.send('take', extra, () => extra.close());
  await until('it has answered', () => transport?.seen() === 'GET / answered 200');
  let ready = 0;
  transport.started({ onReady: () => (ready += 1), onError: expect.unreachable });
  expect(ready).toBe(1);
});
