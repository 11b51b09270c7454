import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import { type Log, silentLog } from '#lib/log.ts';
import type { Write } from '#store/store.ts';
import { PACKED_VERSION } from '#policies/keepalive/packed.ts';
import { type Harness, createHarness, deployed, program, rest } from './harness.ts';

/** What keep-alive has learned is still there when control comes back, whatever became of it meanwhile. */

const warned = vi.fn<Log['warn']>();
let harness: Harness;
beforeEach(async () => {
  harness = await createHarness({ log: { ...silentLog, warn: warned } });
});
afterEach(async () => {
  vi.restoreAllMocks();
  warned.mockReset();
  await harness.close();
});

const MINUTE = 60;
const FLEET = 'keep-alive/fleet';
const MODEL = {
  revision: program({ resources: { memory: '400Mi' } }),
  keepAlive: { policy: 'adaptive' },
} as const satisfies ModelInput['spec'];

async function quiet(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    for (const { id, state } of harness.outlet.instances.values()) {
      if (state === 'draining') harness.outlet.say({ type: 'drained', instance: id });
    }
    harness.clock.advance(1000);
    if (second % 10 === 9) await rest();
  }
  await rest();
}

const isReady = (key: string): boolean =>
  harness.runtime.instances(key).some(({ state }) => state === 'ready');

/** One request, which ends in the midst of the next quiet time. */
async function ask(key: string): Promise<void> {
  if (!isReady(key)) harness.outlet.say({ type: 'wake', revision: key, queued: 1 });
  await quiet(1);
  harness.load({ revision: key, arrivals: 1, busySeconds: 0.1 });
}

/** Asked every ten minutes, last just now. */
async function learned(name = 'm'): Promise<string> {
  const key = await deployed(harness, MODEL, name);
  for (let round = 0; round < 8; round++) {
    await ask(key);
    await quiet(10 * MINUTE - 1);
  }
  await ask(key);
  return key;
}

/** Whether it is loaded for the next request of the timer, and why. */
async function isLoadedAhead(key: string): Promise<string> {
  await quiet(8 * MINUTE);
  expect(isReady(key)).toBe(false);
  await quiet(2 * MINUTE - 1);
  return isReady(key) ? ((await harness.events('ScaleDecided')).at(-1)?.why ?? '') : 'asleep';
}

const saved = async (): Promise<string[]> =>
  (await harness.store.list('memory', { prefix: 'keep-alive/' })).map(({ key }) => key);

describe('what keep-alive has learned', () => {
  test('is there after a restart', async () => {
    const key = await learned();
    await quiet(5);
    await harness.restart();
    expect(await saved()).toEqual([FLEET, `keep-alive/revision/${key}`]);
    expect(await isLoadedAhead(key)).toMatch(
      /^1 instance: loaded ahead of a request, .*idle 8 times/,
    );
    expect(warned).not.toHaveBeenCalled();
  });

  test('is written rarely, and not for those who sleep', async () => {
    const write = vi.spyOn(harness.store, 'write');
    const keyOf = ({ kind, key, value }: Write): string[] =>
      kind === 'memory' && value !== undefined ? [key] : [];
    const key = await learned();
    const during = write.mock.calls.flatMap(([writes]) => writes.flatMap(keyOf));
    // In 80 minutes.
    expect(during.filter((one) => one === FLEET).length).toBeLessThanOrEqual(9);
    expect(during).toContain(`keep-alive/revision/${key}`);
    await quiet(25 * MINUTE);
    write.mockClear();
    await quiet(60 * MINUTE);
    expect(write.mock.calls.flatMap(([writes]) => writes.flatMap(keyOf))).toEqual([]);
  });

  test('is learned again from the stored traffic when control ended in the midst of writing', async () => {
    const key = await learned();
    const write = harness.store.write.bind(harness.store);
    const broken = vi.spyOn(harness.store, 'write');
    broken.mockImplementation(async (writes, more) => {
      if (writes.some((one) => one.key === FLEET)) throw new Error('the process was killed');
      return await write(writes, more);
    });
    await ask(key);
    await harness.restart();
    broken.mockRestore();
    await harness.restart();
    await quiet(10 * MINUTE);
    for (let round = 0; round < 2; round++) {
      await ask(key);
      await quiet(10 * MINUTE - 1);
    }
    await ask(key);
    expect(await isLoadedAhead(key)).toContain('loaded ahead of a request');
  });

  test('is learned again from the last day when it was never written', async () => {
    const key = await learned();
    // The traffic is written before control ends; what was learned is lost.
    for (const lost of await saved()) {
      await harness.store.write([{ kind: 'memory', key: lost, value: undefined }]);
    }
    const write = harness.store.write.bind(harness.store);
    const broken = vi.spyOn(harness.store, 'write');
    broken.mockImplementation(async (writes, more) => {
      if (writes.some((one) => one.key.startsWith('keep-alive/'))) throw new Error('no disk');
      return await write(writes, more);
    });
    await harness.restart();
    broken.mockRestore();
    expect(await saved()).toEqual([]);
    // That the last one came is known to the minute only; the next one is seen.
    await quiet(10 * MINUTE);
    await ask(key);
    expect(await isLoadedAhead(key)).toMatch(
      /^1 instance: loaded ahead of a request, .*idle 9 times/,
    );
  });

  test.each([
    ['damaged', FLEET, { version: PACKED_VERSION, savedAt: 5, since: 'never' }],
    ['empty', FLEET, {}],
    ['of a newer version', FLEET, { version: 7, savedAt: 5, news: [] }],
    [
      'damaged',
      'keep-alive/revision/default/m/00001',
      { version: PACKED_VERSION, savedAt: 5, gaps: -3 },
    ],
    ['newer', 'keep-alive/revision/default/m/00001', { version: 7, savedAt: 5 }],
  ])('what is %s is set aside with a warning, and the rest goes on: %s', async (_, key, value) => {
    const model = await learned();
    const other = await deployed(harness, MODEL, 'other');
    await ask(other);
    await quiet(5);
    const write = harness.store.write.bind(harness.store);
    const spoilt = vi.spyOn(harness.store, 'write');
    spoilt.mockImplementation((writes, more) =>
      write(
        writes.map((one) =>
          one.kind === 'memory' && one.key === key && one.value ? { ...one, value } : one,
        ),
        more,
      ),
    );
    await harness.restart();
    spoilt.mockRestore();
    // That start has set it aside; nothing has come since, so nothing was written in its place.
    expect(warned.mock.calls.map(([about]) => about)).toContainEqual({
      records: 1,
      first: `aside/${key}`,
      version: PACKED_VERSION,
    });
    expect((await harness.store.get('memory', `aside/${key}`))?.value).toEqual(value);
    expect(await harness.store.get('memory', key)).toBeUndefined();
    await ask(model);
    await ask(other);
    await quiet(5);
    warned.mockReset();
    await harness.restart();
    expect(warned).not.toHaveBeenCalled();
    expect(await saved()).toHaveLength(3);
  });

  test('is no worse for a clock that was ahead and is set back', async () => {
    const key = await learned();
    await quiet(5);
    const { clock } = harness;
    await harness.restart(() => clock.set(clock.now() - 40 * 24 * 3_600_000));
    for (let round = 0; round < 6; round++) {
      await ask(key);
      await quiet(10 * MINUTE - 1);
    }
    const told = (await harness.events('ScaleDecided')).filter(({ at }) => at <= clock.now());
    expect(told.at(-1)?.why).toMatch(/hot after 9.9m.*a cold start is worth 15\.\dm/);
    await harness.restart();
    expect(warned).not.toHaveBeenCalled();
  });

  test('of what is deleted goes, too', async () => {
    const key = await learned();
    await harness.restart();
    expect(await saved()).toHaveLength(2);
    await harness.control.useCases.deleteModel({ id: 'local', role: 'admin' }, 'default', 'm');
    await quiet(11 * MINUTE);
    expect(await saved()).toEqual([FLEET]);
    expect(key).toBe('default/m/00001');
  });
});
