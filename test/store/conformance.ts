import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '#lib/clock.ts';
import type { Store, Write } from '#store/store.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { actor, eventOf, measureOf, modelRecord, revisionRecord, usageOf } from './records.ts';

const DAY_MINUTES = 24 * 60;

/** The suite that every store passes. `create` gives an empty store that goes by the clock. */
export function testStore(
  name: string,
  create: (clock: Clock) => Promise<{ store: Store; remove: () => Promise<void> }>,
): void {
  describe(`store: ${name}`, () => {
    const ends: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const end of ends.splice(0)) await end();
    });

    async function setUp() {
      const clock = createFakeClock();
      const { store, remove } = await create(clock);
      ends.push(async () => {
        await store.close();
        await remove();
      });
      return { store, clock };
    }

    const memory = (key: string, value: Record<string, unknown>, expected?: number): Write => ({
      kind: 'memory',
      key,
      value,
      ...(expected !== undefined && { expected }),
    });
    const gone = (key: string, expected?: number): Write => ({
      kind: 'memory',
      key,
      value: undefined,
      ...(expected !== undefined && { expected }),
    });
    const refused = { code: 'precondition_failed' };

    describe('records', () => {
      test('every kind comes back as it was written', async () => {
        const { store } = await setUp();
        const key = {
          id: 'abcdefgh',
          role: 'read',
          hash: 'b'.repeat(64),
          note: '',
          createdAt: 1,
          createdBy: actor,
        } as const;
        await store.write([
          { kind: 'model', key: 'default/a', value: modelRecord('a') },
          { kind: 'revision', key: 'default/a/v1', value: revisionRecord('a', 'v1') },
          { kind: 'key', key: key.id, value: key },
          memory('x', { deep: [1, { ü: '\u0000"' }], none: null }),
        ]);
        const model = await store.get('model', 'default/a');
        expect(model).toEqual({
          kind: 'model',
          key: 'default/a',
          version: 1,
          value: modelRecord('a'),
        });
        const revision = await store.get('revision', 'default/a/v1');
        expect(revision?.value).toEqual(revisionRecord('a', 'v1'));
        expect((await store.get('key', key.id))?.value).toEqual(key);
        expect((await store.get('memory', 'x'))?.value).toEqual({
          deep: [1, { ü: '\u0000"' }],
          none: null,
        });
        expect(await store.get('memory', 'default/a')).toBeUndefined();
      });

      test('versions grow over the whole store and are never used twice', async () => {
        const { store } = await setUp();
        const first = await store.write([memory('a', {}), memory('b', {})]);
        const second = await store.write([gone('b')]);
        const third = await store.write([memory('b', {}), gone('c'), memory('a', {})]);
        const all = [...first, ...second, ...third];
        expect(all).toEqual([...new Set(all)].sort((a, b) => a - b));
        expect(all).toHaveLength(6);
        expect((await store.get('memory', 'a'))?.version).toBe(all.at(-1));
      });

      test('a write that expects another version is refused, whatever it was', async () => {
        const { store } = await setUp();
        const [one = 0] = await store.write([memory('a', { n: 1 }, 0)]);
        await expect(store.write([memory('a', { n: 2 }, 0)])).rejects.toMatchObject(refused);
        const [two = 0] = await store.write([memory('a', { n: 2 }, one)]);
        await expect(store.write([memory('a', { n: 3 }, one)])).rejects.toMatchObject(refused);
        await expect(store.write([gone('a', one)])).rejects.toMatchObject(refused);
        await store.write([gone('a', two)]);
        await expect(store.write([memory('a', { n: 4 }, two)])).rejects.toMatchObject(refused);
        await expect(store.write([gone('a', two)])).rejects.toMatchObject(refused);
        await store.write([memory('a', { n: 5 }, 0)]);
        expect((await store.get('memory', 'a'))?.value).toEqual({ n: 5 });
      });

      test('a refusal names the record and both versions', async () => {
        const { store } = await setUp();
        await store.write([memory('a', {})]);
        await expect(store.write([memory('a', {}, 7)])).rejects.toThrow(/memory a .*1.*7/);
      });

      test('many writers with compare-and-set lose no update', async () => {
        const { store } = await setUp();
        await store.write([memory('counter', { n: 0 })]);
        async function addOne(): Promise<number> {
          for (let lost = 0; ; lost++) {
            const found = await store.get('memory', 'counter');
            const n = Number(found?.value['n']) + 1;
            try {
              await store.write([memory('counter', { n }, found?.version)]);
              return lost;
            } catch (error) {
              expect(error).toMatchObject(refused);
            }
          }
        }
        const writers = Array.from({ length: 20 }, async () => {
          let lost = 0;
          for (let turn = 0; turn < 10; turn++) lost += await addOne();
          return lost;
        });
        const races = (await Promise.all(writers)).reduce((sum, lost) => sum + lost, 0);
        expect((await store.get('memory', 'counter'))?.value).toEqual({ n: 200 });
        expect(races).toBeGreaterThan(0);
      });

      test('of several writes all happen or none, events included', async () => {
        const { store } = await setUp();
        await store.write([memory('a', { n: 1 })]);
        const write = store.write([memory('b', { n: 2 }), gone('a'), memory('a', {}, 99)], {
          events: [eventOf('m')],
        });
        await expect(write).rejects.toMatchObject(refused);
        expect(await store.get('memory', 'b')).toBeUndefined();
        expect((await store.get('memory', 'a'))?.value).toEqual({ n: 1 });
        expect(await store.events({ limit: 10 })).toEqual([]);
        await store.write([memory('b', {}), gone('a')], { events: [eventOf('m'), eventOf('n')] });
        expect((await store.list('memory')).map(({ key }) => key)).toEqual(['b']);
        expect(await store.events({ limit: 10 })).toHaveLength(2);
      });

      test('a write that is refused does not disturb those made at the same time', async () => {
        const { store } = await setUp();
        const results = await Promise.allSettled([
          store.write([memory('a', {})]),
          store.write([memory('b', {}, 77)]),
          store.write([{ kind: 'model', key: 'x', value: JSON.parse('{"odd":1}') }]),
          store.write([memory('c', {})], { events: [eventOf('m')] }),
        ]);
        expect(results.map(({ status }) => status)).toEqual([
          'fulfilled',
          'rejected',
          'rejected',
          'fulfilled',
        ]);
        expect((await store.list('memory')).map(({ key }) => key)).toEqual(['a', 'c']);
        expect(await store.events({ limit: 9 })).toHaveLength(1);
      });

      test('a record, an event or a key that does not fit its schema is never written', async () => {
        const { store } = await setUp();
        const odd = { ...modelRecord('a'), generation: 0 };
        await expect(
          store.write([{ kind: 'model', key: 'default/a', value: odd }]),
        ).rejects.toMatchObject({
          code: 'invalid',
          message: expect.stringContaining('generation'),
        });
        await expect(
          store.write([], { events: [{ ...eventOf('a'), type: 'x'.repeat(65) }] }),
        ).rejects.toMatchObject({ code: 'invalid' });
        await expect(store.write([memory('', {})])).rejects.toMatchObject({ code: 'invalid' });
        const huge = { text: 'x'.repeat(5 * 2 ** 20) };
        await expect(store.write([memory('a', huge)])).rejects.toMatchObject({ code: 'too_large' });
        expect(await store.changes(0)).toEqual([]);
      });
    });

    describe('list', () => {
      async function filled() {
        const { store } = await setUp();
        const keys = ['b/1', 'a/2', 'a/1', 'a', 'a-b/1', 'a/10', 'b', 'ab', 'a0', 'a/é'];
        await store.write(keys.map((key) => memory(key, { key })));
        await store.write([gone('a0')]);
        const list = async (page?: { prefix?: string; after?: string; limit?: number }) =>
          (await store.list('memory', page)).map(({ key }) => key);
        return { list };
      }

      test('is in key order, without what was deleted', async () => {
        const { list } = await filled();
        expect(await list()).toEqual(['a', 'a-b/1', 'a/1', 'a/10', 'a/2', 'a/é', 'ab', 'b', 'b/1']);
      });

      test('a prefix takes what begins with it, and nothing else', async () => {
        const { list } = await filled();
        expect(await list({ prefix: 'a/' })).toEqual(['a/1', 'a/10', 'a/2', 'a/é']);
        expect(await list({ prefix: 'c/' })).toEqual([]);
        expect(await list({ prefix: '%' })).toEqual([]);
      });

      test('pages follow each other without a gap', async () => {
        const { list } = await filled();
        const pages: string[][] = [];
        for (let after: string | undefined = ''; after !== undefined;) {
          const page: string[] = await list({ prefix: 'a/', after, limit: 3 });
          pages.push(page);
          after = page.at(-1);
        }
        expect(pages).toEqual([['a/1', 'a/10', 'a/2'], ['a/é'], []]);
        expect(await list({ prefix: 'b', after: 'a' })).toEqual(['b', 'b/1']);
        expect(await list({ limit: 0 })).toEqual([]);
      });
    });

    describe('changes', () => {
      test('tell each key once with its newest version, deletions too', async () => {
        const { store } = await setUp();
        await store.write([memory('a', {}), memory('b', {}), memory('c', {})]);
        await store.write([memory('a', { n: 2 })]);
        await store.write([gone('b')]);
        expect(await store.changes(0)).toEqual([
          { version: 3, kind: 'memory', key: 'c', deleted: false },
          { version: 4, kind: 'memory', key: 'a', deleted: false },
          { version: 5, kind: 'memory', key: 'b', deleted: true },
        ]);
        expect((await store.changes(3)).map(({ key }) => key)).toEqual(['a', 'b']);
        expect((await store.changes(3, 1)).map(({ key }) => key)).toEqual(['a']);
        expect(await store.changes(5)).toEqual([]);
        await store.write([memory('b', {})]);
        expect(await store.changes(5)).toEqual([
          { version: 6, kind: 'memory', key: 'b', deleted: false },
        ]);
      });

      test('to delete what is not there is no change', async () => {
        const { store } = await setUp();
        await store.write([memory('a', {})]);
        await store.write([gone('a')]);
        const before = await store.changes(0);
        await store.write([gone('a'), gone('never')]);
        expect(await store.changes(0)).toEqual(before);
      });

      test('a reader that follows them has what is stored', async () => {
        const { store } = await setUp();
        const seen = new Map<string, number>();
        let version = 0;
        for (let turn = 0; turn < 60; turn++) {
          const key = `k${(turn * 7) % 11}`;
          await store.write([turn % 3 === 0 ? gone(key) : memory(key, { turn })]);
          if (turn % 4 !== 0) continue;
          for (const change of await store.changes(version)) {
            version = change.version;
            if (change.deleted) seen.delete(change.key);
            else seen.set(change.key, change.version);
          }
          const stored = await store.list('memory');
          expect(seen).toEqual(new Map(stored.map((each) => [each.key, each.version])));
        }
      });
    });

    describe('leases', () => {
      test('one holder at a time; it may renew', async () => {
        const { store, clock } = await setUp();
        const first = await store.lease('scale', 'one', 1000);
        expect(first).toEqual({
          name: 'scale',
          holder: 'one',
          token: first?.token,
          expiresAt: clock.now() + 1000,
        });
        expect(await store.lease('scale', 'two', 1000)).toBeUndefined();
        expect(await store.lease('other', 'two', 1000)).toBeDefined();
        clock.advance(900);
        const renewed = await store.lease('scale', 'one', 1000);
        expect(renewed).toMatchObject({ token: first?.token, expiresAt: clock.now() + 1000 });
        clock.advance(900);
        expect(await store.lease('scale', 'two', 1000)).toBeUndefined();
      });

      test('of many that ask at once one gets it', async () => {
        const { store } = await setUp();
        const asked = Array.from({ length: 20 }, (_, n) => store.lease('scale', `h${n}`, 1000));
        const got = (await Promise.all(asked)).filter((lease) => lease !== undefined);
        expect(got).toHaveLength(1);
      });

      test('an expired one can be taken, with a token that has grown', async () => {
        const { store, clock } = await setUp();
        const first = await store.lease('scale', 'one', 1000);
        clock.advance(1001);
        const second = await store.lease('scale', 'two', 1000);
        expect(second?.token).toBeGreaterThan(first?.token ?? Infinity);
        expect(await store.lease('scale', 'one', 1000)).toBeUndefined();
      });

      test('given back, anybody may take it, and only its holder gives it back', async () => {
        const { store } = await setUp();
        const first = await store.lease('scale', 'one', 1000);
        expect(await store.lease('scale', 'two', 0)).toBeUndefined();
        expect(await store.lease('scale', 'two', 1000)).toBeUndefined();
        expect(await store.lease('scale', 'one', 0)).toBeUndefined();
        const second = await store.lease('scale', 'one', 1000);
        expect(second?.token).toBeGreaterThan(first?.token ?? Infinity);
      });

      test('a write with an outdated fence is refused, whole', async () => {
        const { store, clock } = await setUp();
        const first = await store.lease('scale', 'one', 1000);
        const write = (n: number, fence = first) =>
          store.write([memory('a', { n })], { ...(fence && { fence }), events: [eventOf('m')] });
        await write(1);
        clock.advance(5000);
        await write(2);
        const second = await store.lease('scale', 'two', 1000);
        await expect(write(3)).rejects.toMatchObject(refused);
        await write(4, second);
        await store.lease('scale', 'two', 0);
        await expect(write(5, second)).rejects.toMatchObject(refused);
        expect((await store.get('memory', 'a'))?.value).toEqual({ n: 4 });
        expect(await store.events({ limit: 10 })).toHaveLength(3);
        await expect(
          write(6, { name: 'never', holder: 'one', token: 1, expiresAt: 0 }),
        ).rejects.toMatchObject(refused);
      });
    });

    describe('events', () => {
      test('come back as they were, with ids that grow', async () => {
        const { store } = await setUp();
        const full = { ...eventOf('a'), revision: 'v1', data: { saw: [1, null], deep: { x: 1 } } };
        await store.write([], { events: [eventOf('a'), full] });
        const [first, second] = await store.events({ limit: 10 });
        expect(first).toEqual({ ...eventOf('a'), id: first?.id });
        expect(second).toEqual({ ...full, id: (first?.id ?? 0) + 1 });
      });

      test('can be asked for by namespace, model, revision, type, id and order', async () => {
        const { store } = await setUp();
        await store.write([], {
          events: [
            { ...eventOf('a', '1'), revision: 'v1' },
            { ...eventOf('a', '2'), type: 'ScaleDecided' },
            { ...eventOf('b', '3'), revision: 'v1' },
            { ...eventOf('a', '4'), namespace: 'team' },
          ],
        });
        const ask = async (query: Omit<Parameters<Store['events']>[0], 'limit'>, limit = 10) =>
          (await store.events({ ...query, limit })).map(({ why }) => why).join('');
        const [first] = await store.events({ limit: 1 });
        expect(await ask({})).toBe('1234');
        expect(await ask({ newest: true })).toBe('4321');
        expect(await ask({ newest: true }, 2)).toBe('43');
        expect(await ask({}, 2)).toBe('12');
        expect(await ask({ namespace: 'default' })).toBe('123');
        expect(await ask({ namespace: 'default', model: 'a' })).toBe('12');
        expect(await ask({ namespace: 'default', model: 'a', newest: true }, 1)).toBe('2');
        expect(await ask({ model: 'a' })).toBe('124');
        expect(await ask({ revision: 'v1' })).toBe('13');
        expect(await ask({ type: 'ScaleDecided' })).toBe('2');
        expect(await ask({ after: first?.id ?? 0 })).toBe('234');
        expect(await ask({ namespace: 'none' })).toBe('');
      });

      test('the log of a model is capped; the oldest go, others stay', async () => {
        const { store } = await setUp();
        await store.write([], { events: [eventOf('quiet', 'kept')] });
        for (let round = 0; round < 11; round++) {
          const events = Array.from({ length: 100 }, (_, n) =>
            eventOf('a', String(round * 100 + n)),
          );
          await store.write([], { events });
        }
        const kept = await store.events({ namespace: 'default', model: 'a', limit: 5000 });
        expect(kept).toHaveLength(1000);
        expect([kept[0]?.why, kept.at(-1)?.why]).toEqual(['100', '1099']);
        expect(await store.events({ model: 'quiet', limit: 5 })).toHaveLength(1);
      });
    });

    describe('usage', () => {
      test('of all models, in order of time and page by page', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        const foreign = { ...usageOf('a', minute), namespace: 'other' };
        const second = { ...usageOf('a', minute), revision: 'v2' };
        const rows = [usageOf('b', minute - 2), usageOf('a', minute), second, usageOf('b', minute)];
        await store.addUsage([...rows.toReversed(), foreign]);
        const all = await store.usageLog({ from: 0, to: minute, limit: 100 });
        expect(all).toEqual([...rows, foreign]);
        let after = all[0];
        for (const row of all.slice(1)) {
          const page = await store.usageLog({
            from: 0,
            to: minute,
            limit: 1,
            ...(after && { after }),
          });
          expect(page).toEqual([row]);
          [after] = page;
        }
        expect(
          await store.usageLog({ from: 0, to: minute, limit: 1, ...(after && { after }) }),
        ).toEqual([]);
        const some = { from: minute - 1, to: minute, limit: 100 };
        expect(await store.usageLog(some)).toEqual([...rows.slice(1), foreign]);
        expect(await store.usageLog({ ...some, to: minute - 1 })).toEqual([]);
        expect(await store.usageLog({ ...some, namespace: 'other' })).toEqual([foreign]);
      });

      test('is added up per revision and minute', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        await Promise.all([
          store.addUsage([usageOf('a', minute, 2), usageOf('a', minute, 3)]),
          store.addUsage([usageOf('a', minute), { ...usageOf('a', minute), revision: 'v2' }]),
          store.addUsage([usageOf('a', minute - 1), usageOf('b', minute)]),
        ]);
        const ask = (from: number, to: number, revision?: string) =>
          store.usage({
            namespace: 'default',
            model: 'a',
            from,
            to,
            ...(revision !== undefined && { revision }),
          });
        const sum = {
          ...usageOf('a', minute, 6),
          coldArrivals: 3,
          busySeconds: 1.5,
          coldSeconds: 0.75,
          memoryByteSeconds: 3e12,
        };
        expect(await ask(minute, minute, 'v1')).toEqual([sum]);
        expect((await ask(minute, minute)).map(({ revision }) => revision)).toEqual(['v1', 'v2']);
        expect((await ask(minute - 1, minute)).map((row) => row.minute - minute)).toEqual([
          -1, 0, 0,
        ]);
        expect(await ask(minute + 1, minute + 9)).toEqual([]);
      });

      test('is kept for 90 days', async () => {
        const { store, clock } = await setUp();
        const start = Math.floor(clock.now() / 60_000);
        await store.addUsage([usageOf('a', start), usageOf('a', start + 1)]);
        const kept = async () =>
          (await store.usage({ namespace: 'default', model: 'a', from: 0, to: start * 2 })).map(
            ({ minute }) => minute - start,
          );
        clock.advance(90 * DAY_MINUTES * 60_000);
        await store.addUsage([]);
        expect(await kept()).toEqual([0, 1]);
        clock.advance(60_000);
        await store.addUsage([usageOf('a', start + 5)]);
        expect(await kept()).toEqual([1, 5]);
      });
    });

    describe('measures', () => {
      const ask = (from: number, to: number, more: { revision?: string; name?: string } = {}) => ({
        namespace: 'default',
        model: 'a',
        from,
        to,
        limit: 1000,
        ...more,
      });

      test('are added up per revision, name and minute', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        await Promise.all([
          store.addMeasures([measureOf(minute, 1), measureOf(minute, 0), measureOf(minute, 1)]),
          store.addMeasures([measureOf(minute, -3, { name: 'loss' }), measureOf(minute - 1, 0.5)]),
          store.addMeasures([measureOf(minute, 7, { revision: '', name: 'age' })]),
          store.addMeasures([measureOf(minute, 9, { model: 'b' })]),
        ]);
        const sums = { count: 3, sum: 2, sumSquares: 2, low: 0, high: 1 } as const;
        const points = [
          [0, 1],
          [1, 2],
        ] as const;
        const accuracy = { ...measureOf(minute, 0), ...sums, points };
        const older = measureOf(minute - 1, 0.5);
        const whole = measureOf(minute, 7, { revision: '', name: 'age' });
        const loss = measureOf(minute, -3, { name: 'loss' });
        expect(await store.measures(ask(0, minute))).toEqual([older, whole, accuracy, loss]);
        expect(await store.measures(ask(minute, minute, { name: 'loss' }))).toEqual([loss]);
        expect(await store.measures(ask(0, minute, { revision: '' }))).toEqual([whole]);
        expect(await store.measures(ask(minute + 1, minute + 9))).toEqual([]);
      });

      test('come page by page without a gap', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        const rows = [
          measureOf(minute - 1, 1, { revision: 'v2' }),
          measureOf(minute, 2),
          measureOf(minute, 3, { name: 'loss' }),
          measureOf(minute, 4, { revision: 'v2' }),
        ];
        await store.addMeasures(rows.toReversed());
        const read = [];
        for (;;) {
          const after = read.at(-1);
          const query = { ...ask(0, minute), limit: 1, ...(after && { after }) };
          const page = await store.measures(query);
          if (page.length === 0) break;
          read.push(...page);
        }
        expect(read).toEqual(rows);
      });

      test('what has an id counts once, also after days; another name is something else', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        const row = { ...measureOf(minute, 1), id: 'request-1' };
        expect(await store.addMeasures([row, row])).toBe(1);
        expect(
          await store.addMeasures([
            { ...row, name: 'loss' },
            { ...row, revision: 'v2' },
          ]),
        ).toBe(0);
        clock.advance(7 * DAY_MINUTES * 60_000);
        expect(await store.addMeasures([row, { ...row, id: 'request-2' }])).toBe(1);
        const found = await store.measures(ask(0, minute, { revision: 'v1', name: 'accuracy' }));
        expect(found).toMatchObject([{ count: 2, sum: 2 }]);
      });

      test('a call is counted whole or not at all', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        const many = Array.from({ length: 40 }, (_, n) => measureOf(minute, 1, { name: `m${n}` }));
        const call = store.addMeasures([{ ...measureOf(minute, 1), id: 'x' }, ...many]);
        await expect(call).rejects.toMatchObject({
          code: 'conflict',
          message: expect.stringMatching(
            /^revision default\/a\/v1 has 32 measures, .*accuracy, m0/,
          ),
        });
        expect(await store.measures(ask(0, minute))).toEqual([]);
        expect(await store.addMeasures([{ ...measureOf(minute, 1), id: 'x' }])).toBe(0);
        expect(await store.addMeasures([{ ...measureOf(minute, 1), revision: 'v2' }])).toBe(0);
      });

      test('many values of a minute keep their sums, and their distribution in a few points', async () => {
        const { store, clock } = await setUp();
        const minute = Math.floor(clock.now() / 60_000);
        const values = Array.from({ length: 500 }, (_, n) => Math.sin(n) * 100);
        await store.addMeasures(values.map((value) => measureOf(minute, value)));
        const [found] = await store.measures(ask(0, minute));
        const sum = values.reduce((all, value) => all + value, 0);
        expect(found).toMatchObject({
          count: 500,
          sum: expect.closeTo(sum, 6),
          low: Math.min(...values),
          high: Math.max(...values),
        });
        const points = found?.points ?? [];
        expect(points.length).toBeLessThanOrEqual(32);
        expect(points.reduce((all, [, weight]) => all + weight, 0)).toBe(500);
        expect(points.reduce((all, [value, weight]) => all + value * weight, 0)).toBeCloseTo(
          sum,
          2,
        );
      });

      test('are kept for 30 days', async () => {
        const { store, clock } = await setUp();
        const start = Math.floor(clock.now() / 60_000);
        await store.addMeasures([measureOf(start, 1), measureOf(start + 1, 1)]);
        const kept = async () =>
          (await store.measures(ask(0, start * 2))).map(({ minute }) => minute - start);
        clock.advance(30 * DAY_MINUTES * 60_000);
        await store.addMeasures([measureOf(start, 1, { name: 'old' })]);
        expect(await kept()).toEqual([0, 0, 1]);
        clock.advance(60_000);
        await store.addMeasures([measureOf(start + 5, 1, { revision: 'v2' })]);
        expect(await kept()).toEqual([1, 5]);
      });
    });

    describe('close', () => {
      test('what was asked for before is done; what comes after is refused', async () => {
        const { store } = await setUp();
        const write = store.write([memory('a', {})]);
        const closed = store.close();
        await expect(write).resolves.toEqual([1]);
        await closed;
        await store.close();
        const refusedNow = { code: 'unavailable' };
        await expect(store.get('memory', 'a')).rejects.toMatchObject(refusedNow);
        await expect(store.write([memory('a', {})])).rejects.toMatchObject(refusedNow);
        await expect(store.lease('a', 'b', 1)).rejects.toMatchObject(refusedNow);
        await expect(store.events({ limit: 1 })).rejects.toMatchObject(refusedNow);
        await expect(store.addMeasures([])).rejects.toMatchObject(refusedNow);
      });
    });
  });
}
