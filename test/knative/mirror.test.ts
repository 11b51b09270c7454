import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createConnection } from '#knative/api/client.ts';
import type { Connection } from '#knative/api/connection.ts';
import { createKube, type Kube } from '#knative/api/kube.ts';
import { runMirror, waitOf, type Mirror, type MirrorChange } from '#knative/api/mirror.ts';
import type { KubeObject } from '#knative/api/objects.ts';
import { PODS } from '#knative/api/resources.ts';
import { readEvents, type WatchEvent } from '#knative/api/watch-events.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/runtime/conformance.ts';
import { makeStatus, startApiServer, type ApiServer } from './api-server.ts';

const SELECTOR = 'app=x';

function pod(name: string, more: Partial<KubeObject['metadata']> = {}): KubeObject {
  return { metadata: { name, namespace: 'shop', labels: { app: 'x' }, ...more } };
}

describe('over the wire', () => {
  let server: ApiServer;
  let connection: Connection;
  let kube: Kube;
  let mirror: Mirror<KubeObject> & { readonly done: Promise<void> };
  let changes: MirrorChange<KubeObject>[];
  let troubles: (Fault | undefined)[];

  beforeEach(async () => {
    server = await startApiServer();
    connection = await createConnection(server.kubeconfig);
    kube = createKube(connection, systemClock);
    changes = [];
    troubles = [];
  });
  afterEach(async () => {
    connection.close();
    await server.close();
  });

  async function follow(): Promise<AbortController> {
    const controller = new AbortController();
    mirror = runMirror<KubeObject>(
      {
        kube,
        resource: PODS,
        selector: SELECTOR,
        clock: systemClock,
        roll: () => 0,
        onChange: (change) => changes.push(change),
        onTrouble: (fault) => troubles.push(fault),
      },
      controller.signal,
    );
    await until('it watches', () => server.watches === 1);
    return controller;
  }

  const names = (): string[] =>
    Array.from(mirror.all(), ({ metadata }) => metadata.name).toSorted();
  const has = (...expected: string[]): Promise<void> =>
    until(`there are ${expected.join(', ')}`, () => names().join() === expected.join());
  const lists = (): number =>
    server.requests.filter(({ path }) => !path.includes('watch=true')).length;

  async function ended(controller: AbortController): Promise<void> {
    controller.abort();
    await mirror.done;
    await until('its watch has ended', () => server.watches === 0);
  }

  test('what there is, what comes, changes and goes; and nothing of others', async () => {
    server.store.put(PODS, pod('a'));
    server.store.put(PODS, pod('stranger', { labels: { app: 'y' } }));
    const controller = await follow();
    expect(names()).toEqual(['a']);
    expect(mirror.isSynced).toBe(true);
    server.store.put(PODS, pod('b'));
    server.store.put(PODS, pod('a', { annotations: { changed: 'yes' } }));
    server.store.delete(PODS, 'shop', 'b');
    server.store.put(PODS, pod('c'));
    await has('a', 'c');
    expect(mirror.get('shop', 'a')?.metadata.annotations).toEqual({ changed: 'yes' });
    expect(
      changes.map((change) =>
        change.type === 'synced' ? 'synced' : `${change.type} ${change.object.metadata.name}`,
      ),
    ).toEqual(['set a', 'synced', 'set b', 'set a', 'gone b', 'set c']);
    expect(troubles).toEqual([]);
    await ended(controller);
  });

  test('a watch that is cut in the middle of a line goes on where it was, without a list', async () => {
    const controller = await follow();
    server.store.put(PODS, pod('a'));
    await has('a');
    server.cut();
    server.store.put(PODS, pod('b'));
    await has('a', 'b');
    server.store.delete(PODS, 'shop', 'a');
    await has('b');
    expect(lists()).toBe(1);
    expect(troubles[0]).toMatchObject({ code: 'unavailable' });
    expect(troubles.at(-1)).toBeUndefined();
    await ended(controller);
  });

  test('a watch whose time is over goes on', async () => {
    const controller = await follow();
    server.end();
    await until('another watch has begun', () => server.watches === 1);
    server.store.put(PODS, pod('a'));
    await has('a');
    expect(lists()).toBe(1);
    expect(troubles).toEqual([]);
    await ended(controller);
  });

  test.each(['answer', 'event'])(
    '410 as an %s: all is listed again, and what ended is told',
    async (how) => {
      server.store.put(PODS, pod('a'));
      server.store.put(PODS, pod('b'));
      const controller = await follow();
      if (how === 'answer') {
        await server.away(true);
        server.store.delete(PODS, 'shop', 'a');
        server.store.put(PODS, pod('c'));
        server.store.compact();
        await server.away(false);
      } else {
        server.write(
          `${JSON.stringify({ type: 'ERROR', object: makeStatus(410, 'Expired', 'too old') })}\n`,
        );
        server.store.delete(PODS, 'shop', 'a');
        server.store.put(PODS, pod('c'));
      }
      await has('b', 'c');
      expect(lists()).toBe(2);
      const gone = changes.flatMap((change) => (change.type === 'gone' ? [change.object] : []));
      expect(gone.map(({ metadata }) => metadata.name)).toEqual(['a']);
      const told = changes.filter(
        (change) => change.type === 'set' && change.object.metadata.name === 'b',
      );
      expect(told).toHaveLength(1);
      await ended(controller);
    },
  );

  test('after a bookmark the watch goes on from there, although all before is forgotten', async () => {
    const controller = await follow();
    // Of no interest to this watch, so that only the bookmark tells how far it is.
    server.store.put(PODS, pod('stranger', { labels: {} }));
    server.bookmark();
    const { version } = server.store;
    // Says nothing of how far it is, but that all before has been read.
    server.write(`${JSON.stringify({ type: 'ADDED', object: pod('mark') })}\n`);
    await has('mark');
    server.store.compact();
    server.cut();
    await until('another watch has begun', () => server.watches === 1);
    expect(server.requests.at(-1)?.path).toContain(`resourceVersion=${version}&`);
    server.store.put(PODS, pod('a'));
    await has('a', 'mark');
    expect(lists()).toBe(1);
    await ended(controller);
  });

  test('an event that comes in pieces', async () => {
    const controller = await follow();
    const object = pod('slow', { resourceVersion: '101' });
    const line = `${JSON.stringify({ type: 'ADDED', object })}\n`;
    for (const piece of line.match(/.{1,7}|\n/gs) ?? []) {
      server.write(piece);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await has('slow');
    await ended(controller);
  });

  test('an API server that is away is waited for', async () => {
    server.store.put(PODS, pod('a'));
    const controller = await follow();
    await server.away(true);
    await until('it is missed', () => troubles.length >= 2);
    expect(names()).toEqual(['a']);
    await server.away(false);
    server.store.put(PODS, pod('b'));
    await has('a', 'b');
    expect(troubles.at(-1)).toBeUndefined();
    await ended(controller);
  });

  const error = { type: 'ERROR', object: makeStatus(500, 'InternalError', 'etcd event lost') };
  test.each([
    ['an error that is no 410', `${JSON.stringify(error)}\n`, /etcd event lost/],
    ['a line that is no event', '{"type":"ADDED"}\n', /is no event/],
    ['a line longer than any object', 'x'.repeat(4 * 2 ** 20 + 1), /is longer than/],
  ])('%s: all is listed again, as the same would come again', async (_what, text, why) => {
    const controller = await follow();
    server.write(text);
    await until('it is listed again', () => lists() === 2);
    expect(troubles[0]?.message).toMatch(why);
    server.store.put(PODS, pod('a'));
    await has('a');
    expect(lists()).toBe(2);
    await ended(controller);
  });

  test('a watch that is refused from where it was begins anew with a list', async () => {
    const controller = await follow();
    server.refuse(/watch=true/, 400, makeStatus(400, 'BadRequest', 'no such version'));
    server.cut();
    await until('it is listed again', () => lists() === 2);
    server.store.put(PODS, pod('a'));
    await has('a');
    await ended(controller);
  });

  test('nonsense is no event', async () => {
    const controller = await follow();
    server.write('{"type":"ADDED"}\n');
    await until('it is told', () => troubles.length > 0);
    expect(troubles[0]).toMatchObject({ code: 'bad_upstream' });
    server.store.put(PODS, pod('a'));
    await has('a');
    await ended(controller);
  });
});

describe('without a network', () => {
  /** A cluster that answers as the test says, step by step. */
  function script(watch: () => Promise<AsyncIterable<WatchEvent> | 'gone'>) {
    const clock = createFakeClock();
    const controller = new AbortController();
    const calls: string[] = [];
    const kube = {
      async list() {
        calls.push('list');
        return { items: [], resourceVersion: '1' };
      },
      async watch() {
        calls.push('watch');
        return await watch();
      },
    } as Pick<Kube, 'list' | 'watch'>;
    const mirror = runMirror(
      {
        kube,
        resource: PODS,
        selector: SELECTOR,
        clock,
        roll: () => 1,
        onChange: () => {},
        onTrouble: () => {},
      },
      controller.signal,
    );
    const settled = (): Promise<void> => until('it waits', () => clock.pending === 1);
    return { clock, calls, settled, controller, mirror };
  }

  async function* nothing(): AsyncGenerator<WatchEvent> {}

  test.each([
    ['fail', () => Promise.reject(new Fault('unavailable', 'away')), 'watch'],
    ['end at once', () => Promise.resolve(nothing()), 'watch'],
    ['are too old at once', () => Promise.resolve('gone' as const), 'list,watch'],
  ])('watches that %s are begun again ever later', async (_how, watch, again) => {
    const { clock, calls, settled, controller, mirror } = script(watch);
    await settled();
    expect(calls.join()).toBe('list,watch');
    for (const wait of [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      calls.length = 0;
      clock.advance(wait - 1);
      expect(calls).toEqual([]);
      clock.advance(1);
      await settled();
      expect(calls.join()).toBe(again);
    }
    controller.abort();
    await mirror.done;
    expect(clock.pending).toBe(0);
  });

  test('waits are from half to all of what they may be', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, roll) => {
          const most = Math.min(10_000, 250 * 2 ** (n - 1));
          const wait = waitOf(n, roll);
          expect(wait).toBeGreaterThanOrEqual(most / 2);
          expect(wait).toBeLessThanOrEqual(most);
        },
      ),
    );
  });

  test('events are the same however they are cut', async () => {
    const event = fc.record({
      type: fc.constantFrom('ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'),
      object: fc.record({ metadata: fc.record({ name: fc.string({ unit: 'grapheme' }) }) }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        async (events, sizes) => {
          const text = Buffer.from(events.map((each) => `${JSON.stringify(each)}\n`).join(''));
          const seen: unknown[] = [];
          for await (const each of readEvents(
            PODS,
            cut(Buffer.concat([text, Buffer.from('{"ty')]), sizes),
          )) {
            seen.push(each);
          }
          expect(seen).toEqual(events);
        },
      ),
    );
  });

  async function* cut(text: Buffer, sizes: Iterator<number>): AsyncGenerator<Buffer> {
    for (let at = 0; at < text.length;) {
      const { value } = sizes.next();
      yield text.subarray(at, at + value);
      at += value;
    }
  }

  test('a line without an end is refused', async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) yield Buffer.alloc(2 ** 16, 'x');
    }
    await expect(readEvents(PODS, endless()).next()).rejects.toMatchObject({
      code: 'bad_upstream',
    });
  });
});
