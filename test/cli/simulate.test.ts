import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world.close();
});

/** Asked each half hour for two days, until an hour ago. */
async function remember(namespace: string): Promise<void> {
  const last = Math.floor(Date.now() / 60_000) - 60;
  const counts = { arrivals: 2, coldArrivals: 1, busySeconds: 1, coldSeconds: 2 };
  const name = { namespace, model: 'm', revision: 'v1' };
  const rows = Array.from({ length: 96 }, (_, index) => ({
    ...name,
    ...counts,
    minute: last - 30 * index,
    memoryByteSeconds: 60 * 2 ** 28,
  }));
  await world.server.store.addUsage(rows);
}

describe('simulate', () => {
  test('nothing was asked: says so', async () => {
    const run = await world.run(['simulate', '--last', '2h']);
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toBe('rouse: no requests in the last 2h: nothing to simulate\n');
    const month = await world.run(['simulate', '--last', '30d']);
    expect(month.stderr).toBe('rouse: no requests in the last 30d: nothing to simulate\n');
  });

  test('what the traffic would have cost with each policy', async () => {
    await remember('default');
    const run = await world.run([
      'simulate',
      '--policy',
      'fixed:10m',
      'fixed:1h',
      'adaptive:online',
    ]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const [head, fixed, long, adaptive, ...rest] = run.stdout.trimEnd().split('\n');
    expect(head).toMatch(/^POLICY +COLD STARTS +WAITED +IDLE MEMORY +LOADS AHEAD$/);
    expect(fixed).toMatch(/^fixed:10m +96 \(100\.0 %\) +3\.2m +[0-9.]+Mi +0$/);
    expect(long).toMatch(/^fixed:1h +1 \(1\.0 %\) +2s +256Mi +0$/);
    expect(Number(/^adaptive:online +([0-9]+) /.exec(adaptive ?? '')?.[1])).toBeLessThan(30);
    expect(rest).toEqual([]);
  });

  test('of a namespace, a time and a memory; as JSON', async () => {
    await remember('apart');
    const args = ['simulate', '-n', 'apart', '--last', '700m', '-o', 'json'];
    const policies = ['--policy', 'fixed:1h', 'lru', '--cap', '1Gi'];
    const run = await world.run([...args, ...policies]);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    const rows: unknown = JSON.parse(run.stdout);
    expect(rows).toMatchObject([{ policy: 'fixed:1h' }, { policy: 'lru', arrivals: 22, cold: 1 }]);
  });

  test.each([
    [['--policy', 'magic'], 1, 'no policy magic; there are fixed:10m'],
    [['--last', 'long'], 2, 'Expected a period such as 24h or 7d.'],
    [['--cap', '-1'], 2, 'Expected a size such as 2Gi.'],
    [['--policy', 'lru'], 1, 'lru evicts under a cap: give --cap'],
    [['--policy', 'adaptive', '--cap', '1Gi'], 1, 'adaptive knows no cap'],
  ])('%j is refused', async (args, status, message) => {
    await remember('refused');
    const run = await world.run(['simulate', '-n', 'refused', ...args]);
    expect(run.status).toBe(status);
    expect(run.stderr).toContain(message);
  });
});
