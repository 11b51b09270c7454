import { beforeEach, expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { startBareInstance } from '../bare-instance.ts';
import { call, makeInstance, makeModel, startStill, type StillHarness } from '../harness.ts';

/** An idle connection to an instance is closed by us, before the instance may: else it could close under a request. */

const teardown = useTeardown();
let harness: StillHarness;

beforeEach(async () => {
  harness = await startStill();
  teardown(() => harness.close());
});

/** How long, ms, where the instance says this of it. `says`: how long it would keep one itself; 0: nothing. */
const rows: readonly [says: number, fields: string, kept: number][] = [
  [0, '', 1500],
  [0, 'Keep-Alive: max=100\r\n', 1500],
  [2000, 'Keep-Alive: max=100, timeout=2\r\n', 1000],
  [5000, 'Keep-Alive: timeout=5\r\n', 4000],
  [600_000, 'Keep-Alive: timeout=600\r\n', 60_000],
];

test.each(rows)('of an instance that says %d: %j', async (says, fields, kept) => {
  let connections = 0;
  let closed = 0;
  const instance = await startBareInstance((socket) => {
    connections += 1;
    socket.on('end', () => (closed += 1));
    socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields}\r\n`));
  });
  teardown(() => instance.close());
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
  const ask = async (): Promise<void> =>
    expect(await call(harness.port, '/models/default/digits/')).toMatchObject({ status: 200 });
  await ask();
  harness.clock.advance(kept - 100);
  await ask();
  // As new as after the first.
  harness.clock.advance(kept - 100);
  await ask();
  expect(connections).toBe(1);
  harness.clock.advance(kept);
  await until('it is closed', () => closed === 1);
  if (says > 0) expect(kept).toBeLessThan(says);
  await ask();
  expect(connections).toBe(2);
});
