import { afterEach, describe, expect, test } from 'vitest';
import type { AsyncRequest } from '#domain/async-request.ts';
import type {
  NewRequest,
  RequestLimits,
  Requests,
  StoredAnswer,
} from '#store/requests/requests.ts';
import { makeNewRequest, NOW, upTo } from './records.ts';

const LIMITS: RequestLimits = { requests: 1000, bytes: 2 ** 20, keepMs: 60_000 };
const HOOK = 'https://hooks.example/a?b=1';
const answer: StoredAnswer = {
  status: 200,
  fields: 'Content-Type: application/octet-stream\r\n',
  body: Buffer.from([0, 255, 10, 13]),
};

/** The suite that every store of asynchronous requests passes. `create` gives an empty one. */
export function testRequests(
  name: string,
  create: (limits: RequestLimits) => Promise<{ store: Requests; remove: () => Promise<void> }>,
): void {
  describe(`requests: ${name}`, () => {
    const ends: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const end of ends.splice(0)) await end();
    });

    async function setUp(limits: Partial<RequestLimits> = {}) {
      const { store, remove } = await create({ ...LIMITS, ...limits });
      ends.push(async () => {
        await store.close();
        await remove();
      });
      return store;
    }

    async function add(store: Requests, change: Partial<AsyncRequest> = {}, body?: string) {
      return (await store.requests.add(makeNewRequest(change, body === undefined ? {} : { body })))
        .request;
    }

    /** Taken and settled, as far as to its end. */
    async function answered(store: Requests, change: Partial<AsyncRequest> = {}, at = NOW) {
      const { id } = await add(store, change);
      await store.requests.take('default/digits', upTo(1), NOW);
      const outcome = { state: 'done', reason: '', answer } as const;
      await store.requests.settle(id, 1, outcome, at);
      return id;
    }

    test('what was added is there as it was said, and is taken with its bytes', async () => {
      const { requests } = await setUp();
      const added = makeNewRequest({ webhook: HOOK, priority: 'high' }, { body: 'ü\0' });
      const { request, repeated } = await requests.add(added);
      expect(repeated).toBe(false);
      expect(request).toEqual(added.request);
      expect(await requests.get(request.id)).toEqual(added.request);
      const [taken] = await requests.take('default/digits', upTo(5), NOW);
      expect(taken?.request).toMatchObject({ id: request.id, state: 'running', attempts: 1 });
      expect(taken?.host).toBe('localhost');
      expect(taken?.content.fields).toBe(added.content.fields);
      expect(Buffer.from(taken?.content.body ?? []).toString()).toBe('ü\0');
      expect(await requests.take('default/digits', upTo(5), NOW)).toEqual([]);
    });

    test('a lane is a model with something due, and is taken from by priority, then in order', async () => {
      const { requests } = await setUp();
      const order = ['low', 'normal', 'high', 'normal'] as const;
      const ids: string[] = [];
      for (const priority of order) {
        ids.push((await requests.add(makeNewRequest({ priority }))).request.id);
      }
      await requests.add(makeNewRequest({ model: 'later', createdAt: NOW + 1, nextAt: NOW + 1 }));
      await requests.add(makeNewRequest({ namespace: 'other', model: 'chat' }));
      expect((await requests.lanes(NOW)).toSorted()).toEqual(['default/digits', 'other/chat']);
      expect((await requests.lanes(NOW + 1)).length).toBe(3);
      const taken = await requests.take('default/digits', upTo(3), NOW);
      expect(taken.map(({ request }) => request.id)).toEqual([ids[2], ids[1], ids[3]]);
      expect(await requests.lanes(NOW - 1)).toEqual([]);
    });

    test('what is taken has no more bytes than there is room for, but for one alone; none overtakes it', async () => {
      const store = await setUp();
      const overhead = makeNewRequest().content.fields.length;
      const sizes = [300, 100, 900, 100].map((size) => 'x'.repeat(size - overhead));
      for (const body of sizes) await add(store, {}, body);
      const takeOf = async (bytes: number): Promise<number[]> => {
        const taken = await store.requests.take('default/digits', { count: 9, bytes }, NOW);
        return taken.map(({ content }) => content.body.length + overhead);
      };
      expect(await takeOf(400)).toEqual([300, 100]);
      expect(await takeOf(899)).toEqual([900]);
      expect(await takeOf(1)).toEqual([100]);
      expect(await takeOf(1)).toEqual([]);
    });

    test('the answer is stored once, by the attempt that runs', async () => {
      const { requests } = await setUp();
      const { request } = await requests.add(makeNewRequest());
      const outcome = { state: 'done', reason: '', answer } as const;
      expect(await requests.settle(request.id, 0, outcome, NOW)).toBeUndefined();
      await requests.take('default/digits', upTo(1), NOW);
      expect(await requests.settle(request.id, 2, outcome, NOW)).toBeUndefined();
      const ended = await requests.settle(request.id, 1, outcome, NOW + 5);
      expect(ended).toMatchObject({ state: 'done', status: 200, endedAt: NOW + 5 });
      const failed = { state: 'failed', reason: 'late' } as const;
      expect(await requests.settle(request.id, 1, failed, NOW)).toBeUndefined();
      const stored = await requests.answer(request.id);
      expect({ ...stored, body: Buffer.from(stored?.body ?? []) }).toEqual(answer);
    });

    test('what shall be sent again is taken again, not before its time, as another attempt', async () => {
      const { requests } = await setUp();
      const { request } = await requests.add(makeNewRequest());
      await requests.take('default/digits', upTo(1), NOW);
      const again = { state: 'waiting', at: NOW + 100, reason: 'busy' } as const;
      const waiting = await requests.settle(request.id, 1, again, NOW);
      expect(waiting).toMatchObject({ state: 'waiting', nextAt: NOW + 100, reason: 'busy' });
      expect(await requests.take('default/digits', upTo(1), NOW + 99)).toEqual([]);
      const [taken] = await requests.take('default/digits', upTo(1), NOW + 100);
      expect(taken?.request.attempts).toBe(2);
    });

    test('what ran when the holder died is due again, and its old attempt counts no more', async () => {
      const store = await setUp();
      const { id } = await add(store, { webhook: HOOK });
      await store.requests.take('default/digits', upTo(1), NOW);
      expect(await store.recover(NOW + 1)).toEqual({ requests: 1, deliveries: 0 });
      const outcome = { state: 'done', reason: '', answer } as const;
      expect(await store.requests.settle(id, 1, outcome, NOW)).toBeUndefined();
      await store.requests.take('default/digits', upTo(1), NOW + 1);
      await store.requests.settle(id, 2, outcome, NOW + 1);
      const [lane = ''] = await store.deliveries.lanes(NOW + 1);
      await store.deliveries.take(lane, upTo(1), NOW + 1);
      expect(await store.recover(NOW + 2)).toEqual({ requests: 0, deliveries: 1 });
      const [delivery] = await store.deliveries.take(lane, upTo(1), NOW + 2);
      expect(delivery).toMatchObject({ id: id.replace('rq_', 'msg_'), attempts: 2 });
    });

    test.each([{ back: 24 * 3_600_000 }, { back: 10 * 365 * 24 * 3_600_000 }])(
      'of a clock that was $back ms ahead when all came, nothing waits or is kept for longer',
      async ({ back }) => {
        const store = await setUp();
        const ended = await answered(store, { webhook: HOOK });
        const again = await add(store);
        await store.requests.take('default/digits', upTo(1), NOW);
        const outcome = { state: 'waiting', at: NOW + 500, reason: 'busy' } as const;
        await store.requests.settle(again.id, 1, outcome, NOW);
        const late = await add(store, { model: 'late', beginBy: NOW + 1000, nextAt: NOW });
        const now = NOW - back;
        await store.recover(now);
        expect(await store.requests.get(again.id)).toMatchObject({
          createdAt: now,
          nextAt: now + 500,
          beginBy: now + 3_600_000,
        });
        expect(await store.requests.expire(now + 999)).toEqual([]);
        expect(await store.requests.expire(now + 1000)).toEqual([late.id]);
        const [{ id } = { id: '' }] = await store.deliveries.take(
          'https://hooks.example',
          upTo(1),
          now,
        );
        await store.deliveries.settle(id, 1, { state: 'delivered', at: now, reason: '' });
        expect(await store.forget(now + LIMITS.keepMs)).toBe(0);
        expect(await store.forget(now + LIMITS.keepMs + 1)).toBe(1);
        expect(await store.requests.get(ended)).toBeUndefined();
      },
    );

    test('a clock that was set forward is time that has passed: deadlines too, and nothing waits for ever', async () => {
      const store = await setUp();
      const open = await add(store, { beginBy: NOW + 1000, webhook: HOOK });
      const far = NOW + 10 * 365 * 24 * 3_600_000;
      await store.recover(far);
      expect(await store.requests.expire(far)).toEqual([open.id]);
      expect(await store.requests.get(open.id)).toMatchObject({ state: 'expired', endedAt: far });
      expect(await store.deliveries.lanes(far)).toEqual(['https://hooks.example']);
      expect(await store.forget(far)).toBe(0);
    });

    test('an idempotency key of the same caller and model names one request', async () => {
      const { requests } = await setUp();
      const first = await requests.add(makeNewRequest({}, { idempotencyKey: 'k' }));
      const again = await requests.add(makeNewRequest({}, { idempotencyKey: 'k' }));
      expect(again).toEqual({ request: first.request, repeated: true });
      for (const change of [{ caller: 'key:other000' }, { model: 'other' }]) {
        const other = await requests.add(makeNewRequest(change, { idempotencyKey: 'k' }));
        expect(other.repeated).toBe(false);
      }
    });

    test('another request with a key that was used before is refused, with what is different', async () => {
      const { requests } = await setUp();
      const first = makeNewRequest({ webhook: HOOK }, { idempotencyKey: 'k' });
      const { id } = first.request;
      await requests.add(first);
      const withFields = (fields: string): NewRequest => ({
        ...first,
        content: { ...first.content, fields },
      });
      const others: [NewRequest, string][] = [
        [{ ...first, request: { ...first.request, method: 'PUT' } }, 'another method'],
        [{ ...first, request: { ...first.request, target: '/v2?a' } }, 'another path'],
        [{ ...first, request: { ...first.request, webhook: `${HOOK}2` } }, 'another Rouse-Webhook'],
        [makeNewRequest({}, { idempotencyKey: 'k' }), 'another Rouse-Webhook'],
        [makeNewRequest({ webhook: HOOK }, { idempotencyKey: 'k', body: 'else' }), 'another body'],
        [withFields('content-type: text/csv\r\n'), 'other Content- fields'],
      ];
      for (const [other, words] of others) {
        await expect(requests.add(other)).rejects.toMatchObject({
          code: 'invalid',
          message: expect.stringContaining(words) as string,
        });
      }
      const later = {
        webhook: HOOK,
        priority: 'high',
        beginBy: NOW + 1,
        createdAt: NOW + 1,
      } as const;
      const traced = {
        ...makeNewRequest(later, { idempotencyKey: 'k' }),
        content: { ...first.content, fields: `Traceparent: 00-1\r\n${first.content.fields}` },
      };
      // Names of fields are in small letters in HTTP/2.
      const overHttp2 = withFields(first.content.fields.replace('Content-Type', 'content-type'));
      for (const same of [traced, overHttp2]) {
        expect(await requests.add(same)).toMatchObject({ request: { id }, repeated: true });
      }
      expect(await requests.counts()).toMatchObject({ waiting: 1 });
    });

    test('of the same key at the same time one is stored', async () => {
      const { requests } = await setUp();
      const added = await Promise.all(
        Array.from({ length: 20 }, () => requests.add(makeNewRequest({}, { idempotencyKey: 'k' }))),
      );
      expect(new Set(added.map(({ request }) => request.id)).size).toBe(1);
      expect(added.filter(({ repeated }) => !repeated)).toHaveLength(1);
    });

    test('who cancels gets what has not ended, and nothing of it is sent any more', async () => {
      const store = await setUp();
      const waiting = await add(store);
      expect(await store.requests.cancel(waiting.id, NOW)).toMatchObject({ state: 'cancelled' });
      expect(await store.requests.cancel(waiting.id, NOW)).toBeUndefined();
      expect(await store.requests.lanes(NOW)).toEqual([]);
      const running = await add(store);
      await store.requests.take('default/digits', upTo(1), NOW);
      await store.requests.cancel(running.id, NOW);
      const outcome = { state: 'done', reason: '', answer } as const;
      expect(await store.requests.settle(running.id, 1, outcome, NOW)).toBeUndefined();
      expect(await store.requests.answer(running.id)).toBeUndefined();
    });

    test('what has not begun by its deadline expires; what runs does not', async () => {
      const store = await setUp();
      const runs = await add(store, { beginBy: NOW + 10 });
      await store.requests.take('default/digits', upTo(1), NOW);
      const late = await add(store, { beginBy: NOW + 10, webhook: HOOK });
      await add(store, { beginBy: NOW + 11 });
      expect(await store.requests.expire(NOW + 10)).toEqual([late.id]);
      expect((await store.requests.get(late.id))?.state).toBe('expired');
      expect((await store.requests.get(runs.id))?.state).toBe('running');
      expect(await store.deliveries.lanes(NOW + 10)).toEqual(['https://hooks.example']);
    });

    test('an end has its delivery at once, one that is the same in every attempt, until it is settled', async () => {
      const store = await setUp();
      const id = await answered(store, { webhook: HOOK });
      await answered(store);
      expect(await store.deliveries.counts()).toMatchObject({ waiting: 1 });
      const [first] = await store.deliveries.take('https://hooks.example', upTo(9), NOW);
      expect(first).toMatchObject({ request: id, url: HOOK, state: 'sending', attempts: 1 });
      const { id: delivery = '' } = first ?? {};
      const again = { state: 'waiting', at: NOW + 5, reason: '500' } as const;
      expect(await store.deliveries.settle(delivery, 7, again)).toBeUndefined();
      await store.deliveries.settle(delivery, 1, again);
      expect(await store.deliveries.take('https://hooks.example', upTo(9), NOW + 4)).toEqual([]);
      const [second] = await store.deliveries.take('https://hooks.example', upTo(9), NOW + 5);
      expect(second).toMatchObject({ id: delivery, attempts: 2 });
      await store.deliveries.settle(delivery, 2, { state: 'delivered', at: NOW + 6, reason: '' });
      expect(await store.recover(NOW + 7)).toEqual({ requests: 0, deliveries: 0 });
      expect(await store.deliveries.lanes(NOW + 1e9)).toEqual([]);
    });

    test('what was given up is listed, and is due again when it is replayed', async () => {
      const store = await setUp();
      await answered(store, { webhook: HOOK });
      const [{ id } = { id: '' }] = await store.deliveries.take(
        'https://hooks.example',
        upTo(1),
        NOW,
      );
      expect(await store.deliveries.replay(id, NOW)).toBeUndefined();
      await store.deliveries.settle(id, 1, { state: 'dead', at: NOW, reason: 'gone' });
      const query = { namespace: 'default', state: 'dead', limit: 10 } as const;
      expect(await store.deliveries.list(query)).toMatchObject([{ id, reason: 'gone' }]);
      expect(await store.deliveries.list({ ...query, namespace: 'other' })).toEqual([]);
      expect(await store.deliveries.replay(id, NOW + 9)).toMatchObject({ id, state: 'waiting' });
      expect(await store.deliveries.take('https://hooks.example', upTo(1), NOW + 9)).toHaveLength(
        1,
      );
    });

    test('lists are of one namespace, newest first, page by page', async () => {
      const store = await setUp();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) ids.unshift((await add(store)).id);
      await add(store, { namespace: 'default-2' });
      const first = await store.requests.list({ namespace: 'default', limit: 2 });
      expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      const before = first[1]?.id;
      const rest = await store.requests.list({ namespace: 'default', before, limit: 9 });
      expect(rest.map(({ id }) => id)).toEqual(ids.slice(2));
      const none = { namespace: 'default', model: 'chat', limit: 9 };
      expect(await store.requests.list(none)).toEqual([]);
      const done = { namespace: 'default', state: 'done', limit: 9 } as const;
      expect(await store.requests.list(done)).toEqual([]);
    });

    test('answers are forgotten after their time, but not while somebody is to be told of them', async () => {
      const store = await setUp();
      const plain = await answered(store);
      const told = await answered(store, { webhook: HOOK });
      const waiting = await add(store);
      const later = NOW + LIMITS.keepMs + 1;
      expect(await store.forget(NOW + LIMITS.keepMs)).toBe(0);
      expect(await store.forget(later)).toBe(1);
      expect(await store.requests.get(plain)).toBeUndefined();
      expect(await store.requests.answer(plain)).toBeUndefined();
      const [{ id } = { id: '' }] = await store.deliveries.take(
        'https://hooks.example',
        upTo(1),
        NOW,
      );
      await store.deliveries.settle(id, 1, { state: 'delivered', at: NOW, reason: '' });
      expect(await store.forget(later)).toBe(1);
      expect(await store.requests.get(told)).toBeUndefined();
      expect((await store.requests.get(waiting.id))?.state).toBe('waiting');
    });

    test('when there is no room what ended first is forgotten; what has not ended never is', async () => {
      const store = await setUp({ requests: 3 });
      const first = await answered(store, {}, NOW + 1);
      const second = await answered(store, {}, NOW + 2);
      await add(store);
      await add(store);
      expect(await store.requests.get(first)).toBeUndefined();
      expect(await store.requests.get(second)).toBeDefined();
      await add(store);
      await expect(add(store)).rejects.toMatchObject({ code: 'queue_full', retryAfter: 5 });
      expect(await store.requests.counts()).toMatchObject({ waiting: 3, ended: 0 });
    });

    test('a caller that has most gives way to others, and takes no answer from them', async () => {
      const store = await setUp({ requests: 6 });
      const light = await answered(store, { caller: 'key:light000' }, NOW + 1);
      const heavy: string[] = [];
      for (let i = 0; i < 5; i++) heavy.push(await answered(store, {}, NOW + 2 + i));
      await add(store, { caller: 'key:other000' });
      await add(store);
      expect(await store.requests.get(light)).toBeDefined();
      const left = await Promise.all(heavy.map((id) => store.requests.get(id)));
      expect(left.map((request) => request !== undefined)).toEqual([
        false,
        false,
        true,
        true,
        true,
      ]);
      for (let i = 0; i < 3; i++) await add(store);
      // Nothing of its own is left to be forgotten.
      await expect(add(store)).rejects.toMatchObject({ code: 'queue_full' });
      expect(await store.requests.get(light)).toBeDefined();
    });

    test('bytes are those of what is to be sent, then of the answer', async () => {
      const store = await setUp({ bytes: 1000 });
      const fields = 'Content-Type: text/plain\r\n'.length;
      const { id } = await add(store, {}, 'x'.repeat(900));
      expect((await store.requests.counts()).bytes).toBe(900 + fields);
      await expect(add(store, {}, 'x'.repeat(100))).rejects.toMatchObject({ code: 'queue_full' });
      await store.requests.take('default/digits', upTo(1), NOW);
      await store.requests.settle(id, 1, { state: 'done', reason: '', answer }, NOW);
      expect((await store.requests.counts()).bytes).toBe(4 + answer.fields.length);
      await add(store, {}, 'x'.repeat(900));
    });

    test('a store that is closed refuses', async () => {
      const store = await setUp();
      await store.close();
      await expect(store.requests.add(makeNewRequest())).rejects.toMatchObject({
        code: 'unavailable',
      });
    });
  });
}
