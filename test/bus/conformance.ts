import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { BusClient, BusHost, Link } from '#bus/bus.ts';
import type { Downward, Upward } from '#bus/messages.ts';
import { createPublisher } from '#bus/publisher.ts';
import { createSubscriber } from '#bus/subscriber.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { createMirror, instanceOf, modelOf } from './routing.ts';

/** A host with one client, and what a suite cannot do through the interface. */
export interface BusUnderTest {
  readonly host: BusHost;
  readonly client: BusClient;
  /** One more client. Absent: the bus is between exactly two. */
  readonly another?: () => BusClient;
  /** Cuts all links as a broken network does. Absent: both ends share one fate, there is nothing between. */
  readonly cut?: () => void;
  /** Bytes after which a link whose reader has stopped is closed. Absent: both ends share one fate. */
  readonly backlog?: number;
  readonly close: () => Promise<void>;
}

type HostLink = Link<Downward, Upward>;
type ClientLink = Link<Upward, Downward>;

const wake = (queued: number): Upward => ({ type: 'wake', revision: 'default/a/v1', queued });

export function testBus(name: string, create: () => Promise<BusUnderTest>): void {
  describe(`bus: ${name}`, () => {
    const ends: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const end of ends.splice(0).toReversed()) await end();
    });

    async function setUp(): Promise<BusUnderTest> {
      const made = await create();
      ends.push(made.close);
      return made;
    }

    async function linked({ host, client }: BusUnderTest) {
      return await new Promise<{ up: ClientLink; down: HostLink }>((resolve) => {
        let up: ClientLink | undefined;
        let down: HostLink | undefined;
        const check = () => up && down && resolve({ up, down });
        host.onLink((link) => {
          down = link;
          check();
        });
        client.onLink((link) => {
          up = link;
          check();
        });
      });
    }

    function publish(bus: BusUnderTest, epoch = 'e1', keepDeltas?: number) {
      const clock = createFakeClock();
      const publisher = createPublisher({
        host: bus.host,
        epoch,
        clock,
        ...(keepDeltas && { keepDeltas }),
      });
      return { publisher, clock };
    }

    function subscribe(client: BusClient, dataPlane = 'dp1') {
      const mirror = createMirror();
      return {
        mirror,
        subscriber: createSubscriber({ client, dataPlane, onState: mirror.onState }),
      };
    }

    test('messages arrive in order, both ways', async () => {
      const { up, down } = await linked(await setUp());
      const count = 5000;
      const above: number[] = [];
      const below: number[] = [];
      up.onMessage((message) => message.type === 'scrape' && below.push(message.id));
      down.onMessage((message) => message.type === 'wake' && above.push(message.queued));
      for (let n = 0; n < count; n++) {
        up.send(wake(n));
        down.send({ type: 'scrape', id: n });
      }
      await until(
        'all messages in both directions',
        () => above.length === count && below.length === count,
      );
      const wanted = Array.from({ length: count }, (_, n) => n);
      expect(above).toEqual(wanted);
      expect(below).toEqual(wanted);
    });

    test('a large message arrives whole, and the next one after it', async () => {
      const { up, down } = await linked(await setUp());
      const large = 'ü'.repeat(4 * 2 ** 20);
      const got: Upward[] = [];
      down.onMessage((message) => got.push(message));
      up.send({ type: 'metrics', id: 1, text: large });
      up.send(wake(1));
      await until('2 messages', () => got.length === 2);
      expect(got[0]?.type === 'metrics' && got[0].text === large).toBe(true);
      expect(got[1]).toEqual(wake(1));
    });

    test('what comes before there is a listener is kept', async () => {
      const { up, down } = await linked(await setUp());
      // The answer to the last of them shows that the first have long arrived.
      up.send(wake(1));
      up.send(wake(2));
      down.send({ type: 'scrape', id: 7 });
      await new Promise<void>((resolve) => up.onMessage(() => resolve()));
      const got: Upward[] = [];
      down.onMessage((message) => got.push(message));
      await until('2 messages', () => got.length === 2);
      expect(got).toEqual([wake(1), wake(2)]);
    });

    test('unknown types and messages that lack something are ignored, unknown fields are no harm', async () => {
      const { up, down } = await linked(await setUp());
      const got: Upward[] = [];
      down.onMessage((message) => got.push(message));
      for (const odd of [
        { type: 'future', revision: 'x' },
        { type: 'toString' },
        { type: 'wake', revision: 'x' },
        { type: 'wake', revision: 'x', queued: '1' },
        { type: 'load', at: 1, revisions: null },
        { type: 'hello' },
        { type: 'released', instance: 'i', slots: '1', sequence: 1 },
        { type: 'demand', revisions: {} },
        { ...wake(1), future: { a: 1 } },
      ]) {
        up.send(JSON.parse(JSON.stringify(odd)));
      }
      up.send(wake(2));
      await until('the wake', () =>
        got.some((message) => message.type === 'wake' && message.queued === 2),
      );
      expect(got).toMatchObject([wake(1), wake(2)]);
      expect(got).toHaveLength(2);
    });

    test.each(['up', 'down'] as const)('close is seen once by both sides (%s)', async (side) => {
      const links = await linked(await setUp());
      const seen = { up: 0, down: 0 };
      const got: unknown[] = [];
      const other = side === 'up' ? 'down' : 'up';
      links[other].onMessage((message: unknown) => void got.push(message));
      links[side].onMessage(() => {});
      links.up.onClose(() => void seen.up++);
      links.down.onClose(() => void seen.down++);
      if (side === 'up') links.up.send(wake(1));
      else links.down.send({ type: 'scrape', id: 1 });
      links[side].close();
      links[side].close();
      await until('a message in each direction', () => seen.up > 0 && seen.down > 0);
      expect(got).toHaveLength(1);
      links.up.send(wake(2));
      links.down.send({ type: 'scrape', id: 2 });
      links[other].close();
      let late = 0;
      links[other].onClose(() => void late++);
      expect(late).toBe(0);
      expect(seen).toEqual({ up: 1, down: 1 });
    });

    test('a data plane gets the state, and then each change', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      publisher.update({ models: [modelOf('a'), modelOf('b')], instances: [instanceOf('i1')] });
      const { mirror } = subscribe(bus.client);
      await until('1 change', () => mirror.changes.length === 1);
      publisher.update({ models: [modelOf('a', 2)], removedModels: ['default/b'] });
      publisher.update({ removedInstances: ['i1'], instances: [instanceOf('i2')] });
      await until('3 changes', () => mirror.changes.length === 3);
      expect(mirror.changes.map(({ full }) => full)).toEqual([true, false, false]);
      expect([...mirror.models]).toEqual([['default/a', 2]]);
      expect([...mirror.instances]).toEqual(['i2']);
    });

    test('keys come with the state, and go', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const key = { id: 'k1', role: 'invoke', hash: 'ab', priority: 'high' } as const;
      publisher.update({ keys: [key, { ...key, id: 'k2' }] });
      publisher.update({ removedKeys: ['k2'] });
      const { mirror } = subscribe(bus.client);
      await until('1 change', () => mirror.changes.length === 1);
      expect(mirror.changes[0]).toMatchObject({ full: true, keys: [key] });
      publisher.update({ keys: [{ ...key, id: 'k3' }], removedKeys: ['k1'] });
      await until('2 changes', () => mirror.changes.length === 2);
      expect(mirror.changes[1]).toMatchObject({ full: false, removedKeys: ['k1'] });
      expect(mirror.changes[1]?.keys.map(({ id }) => id)).toEqual(['k3']);
    });

    test('nothing is sent before the first update', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const { mirror, subscriber } = subscribe(bus.client);
      const joined = new Promise<void>((resolve) => publisher.onUpward(() => resolve()));
      subscriber.onLink(() => subscriber.send({ type: 'drained', instance: 'i' }));
      await joined;
      expect(mirror.changes).toEqual([]);
      publisher.update({});
      await until('1 change', () => mirror.changes.length === 1);
      expect(mirror.changes[0]).toMatchObject({ full: true, models: [] });
    });

    test('removals come before additions in one change', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      publisher.update({ models: [modelOf('a', 1)] });
      const { mirror } = subscribe(bus.client);
      await until('1 change', () => mirror.changes.length === 1);
      publisher.update({ removedModels: ['default/a'], models: [modelOf('a', 2)] });
      await until('2 changes', () => mirror.changes.length === 2);
      expect(mirror.models.get('default/a')).toBe(2);
    });

    /** What a hello of somebody with this state is answered with, after four updates of which two are kept. */
    async function answersTo(had: { epoch?: string; version?: number }) {
      const bus = await setUp();
      const { publisher } = publish(bus, 'e1', 2);
      for (const generation of [1, 2, 3, 4])
        publisher.update({ models: [modelOf('a', generation)] });
      const link = await new Promise<ClientLink>((resolve) => bus.client.onLink(resolve));
      const got: Downward[] = [];
      link.onMessage((message) => got.push(message));
      link.send({ type: 'hello', dataPlane: 'dp', ...had });
      const asked = new Promise<void>((resolve) => publisher.onUpward(() => resolve()));
      link.send(wake(0));
      await asked;
      publisher.update({ models: [modelOf('end')] });
      await until('the delta of version 5', () =>
        got.some((message) => message.type === 'delta' && message.version === 5),
      );
      return got
        .slice(0, -1)
        .map((message) => [message.type, 'version' in message ? message.version : 0]);
    }

    test.each([
      ['nothing', {}, [['snapshot', 4]]],
      ['the newest', { epoch: 'e1', version: 4 }, []],
      [
        'a little older',
        { epoch: 'e1', version: 2 },
        [
          ['delta', 3],
          ['delta', 4],
        ],
      ],
      ['older than what is kept', { epoch: 'e1', version: 1 }, [['snapshot', 4]]],
      ['another epoch', { epoch: 'e0', version: 4 }, [['snapshot', 4]]],
      ['a version that never was', { epoch: 'e1', version: 9 }, [['snapshot', 4]]],
    ])('who has %s gets what is missing', async (_, had, wanted) => {
      expect(await answersTo(had)).toEqual(wanted);
    });

    test('after a gap the subscriber asks once for everything, and takes nothing else until then', async () => {
      const bus = await setUp();
      const { mirror } = subscribe(bus.client);
      const link = await new Promise<HostLink>((resolve) => bus.host.onLink(resolve));
      const hellos: Upward[] = [];
      link.onMessage((message) => hellos.push(message));
      const snapshot = (epoch: string, version: number) =>
        link.send({
          type: 'snapshot',
          epoch,
          version,
          models: [modelOf('a', version)],
          instances: [],
        });
      const delta = (epoch: string, version: number) =>
        link.send({ type: 'delta', epoch, version, models: [modelOf('a', version)] });
      snapshot('e1', 5);
      delta('e1', 6);
      delta('e1', 8);
      delta('e1', 9);
      delta('e1', 7);
      await until('2 hellos', () => hellos.length === 2);
      expect(hellos).toEqual([
        { type: 'hello', dataPlane: 'dp1' },
        { type: 'hello', dataPlane: 'dp1' },
      ]);
      snapshot('e1', 9);
      delta('e1', 10);
      delta('e2', 11);
      await until('3 hellos', () => hellos.length === 3);
      expect(mirror.changes.map((change) => [change.full, change.models[0]?.generation])).toEqual([
        [true, 5],
        [false, 6],
        [true, 9],
        [false, 10],
      ]);
    });

    test('leases come after the state, and answers reach control', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const held = [{ instance: 'i0', slots: 2, sequence: 7 }];
      const got: unknown[] = [];
      const joined: unknown[] = [];
      publisher.onJoined((dataPlane, leases) => {
        joined.push([dataPlane, leases]);
        publisher.lease(dataPlane, [{ instance: 'i1', slots: 1, sequence: 8 }]);
      });
      publisher.update({ instances: [instanceOf('i1')] });
      createSubscriber({
        client: bus.client,
        dataPlane: 'dp1',
        onState: ({ instances }) => got.push(...instances.map(({ id }) => id)),
        leases: () => held,
        onLease: (leases) => got.push(...leases),
      });
      await until('2 messages', () => got.length === 2);
      expect(joined).toEqual([['dp1', held]]);
      expect(got).toEqual(['i1', { instance: 'i1', slots: 1, sequence: 8 }]);
      publisher.lease('nobody', held);
    });

    test('what a data plane asks for a caller is replied to it, with a body of many megabytes', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const inquiry = {
        request: `rq_${'0'.repeat(40)}`,
        caller: { id: 'k', kind: 'key' },
        about: 'answer',
      } as const;
      const body = 'A'.repeat(11 * 2 ** 20);
      publisher.onUpward((dataPlane, message) => {
        if (message.type !== 'inquire') return;
        expect(message.inquiry).toEqual(inquiry);
        publisher.reply(dataPlane, message.id, { what: 'answer', status: 200, fields: '', body });
      });
      const replies: unknown[] = [];
      const subscriber = createSubscriber({
        client: bus.client,
        dataPlane: 'dp1',
        onState: () => {},
        onReply: (id, reply) => replies.push([id, reply]),
      });
      subscriber.onLink(() => subscriber.send({ type: 'inquire', id: 7, inquiry }));
      await until('1 reply', () => replies.length === 1);
      expect(replies).toEqual([[7, { what: 'answer', status: 200, fields: '', body }]]);
      const none = { what: 'fault', code: 'internal', message: '' } as const;
      publisher.reply('nobody', 1, none);
    });

    test('a lease that goes with a state which is not there shows the gap: the state comes, then leases again', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const lease = { instance: 'i1', slots: 1, sequence: 8 };
      const got: unknown[] = [];
      const joined: string[] = [];
      publisher.onJoined((dataPlane) => joined.push(dataPlane));
      publisher.onGap((dataPlane) =>
        publisher.lease(dataPlane, [{ ...lease, sequence: 9, answer: true }]),
      );
      publisher.update({ instances: [instanceOf('i1')] });
      // Takes the first message, as if the snapshot had been lost.
      const lossy: BusClient = {
        close: () => bus.client.close(),
        onLink: (listener) =>
          bus.client.onLink((link) =>
            listener({
              ...link,
              onMessage(heard) {
                let lost = false;
                link.onMessage((message) => {
                  if (lost) heard(message);
                  lost = true;
                });
              },
            }),
          ),
      };
      createSubscriber({
        client: lossy,
        dataPlane: 'dp1',
        onState: ({ instances }) => got.push(...instances.map(({ id }) => id)),
        onLease: (leases) => got.push(...leases),
      });
      await until('1 data plane that joined', () => joined.length === 1);
      publisher.lease('dp1', [lease]);
      await until('3 messages', () => got.length === 3);
      expect(got).toEqual([lease, 'i1', { ...lease, sequence: 9, answer: true }]);
      expect(joined).toEqual(['dp1']);
    });

    test('a state of many models arrives as one change, and so does what follows', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const count = 4500;
      const names = Array.from({ length: count }, (_, at) => `m${at}`);
      const { mirror } = subscribe(bus.client);
      publisher.update({ models: names.map((name) => modelOf(name)) });
      await until('1 change', () => mirror.changes.length === 1);
      expect(mirror.changes[0]).toMatchObject({ full: true });
      expect([...mirror.models.keys()]).toEqual(names.map((name) => `default/${name}`));
      publisher.update({
        removedModels: ['default/m1'],
        models: names.slice(2).map((name) => modelOf(name, 2)),
      });
      await until('2 changes', () => mirror.changes.length === 2);
      expect(mirror.models.size).toBe(count - 1);
      expect(mirror.models.get('default/m0')).toBe(1);
      expect(mirror.models.get(`default/m${count - 1}`)).toBe(2);
    });

    test('of parts that a link cuts off nothing is applied', async (context) => {
      const bus = await setUp();
      if (!bus.cut) {
        context.skip('both ends share one fate');
        return;
      }
      const links: HostLink[] = [];
      bus.host.onLink((link) => {
        links.push(link);
        link.onMessage(() => {});
      });
      const { mirror } = subscribe(bus.client);
      await until('1 link', () => links.length === 1);
      const state = { type: 'snapshot', epoch: 'e1', version: 1, instances: [] } as const;
      links[0]?.send({ ...state, models: [modelOf('a')], more: true });
      bus.cut();
      await until('2 links', () => links.length === 2);
      links[1]?.send({ ...state, models: [modelOf('b')] });
      await until('1 change', () => mirror.changes.length === 1);
      expect([...mirror.models.keys()]).toEqual(['default/b']);
    });

    test('each new link of a data plane is told, that control need not trust what it said on the last', async (context) => {
      const bus = await setUp();
      if (!bus.cut) {
        context.skip('both ends share one fate');
        return;
      }
      const { publisher } = publish(bus);
      let joined = 0;
      publisher.onJoined(() => void joined++);
      subscribe(bus.client);
      await until('the data plane has joined', () => joined === 1);
      bus.cut();
      await until('it has joined again', () => joined === 2);
    });

    test('reports reach control with the name of their data plane; its end is told once', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const reports: unknown[] = [];
      const left: string[] = [];
      publisher.onUpward((dataPlane, message) => void reports.push([dataPlane, message]));
      publisher.onLeft((dataPlane) => void left.push(dataPlane));
      const { subscriber } = subscribe(bus.client);
      subscriber.onLink(() =>
        subscriber.send({ type: 'wake', revision: 'default/a/v1', queued: 3 }),
      );
      await until('1 report', () => reports.length === 1);
      expect(reports).toEqual([['dp1', wake(3)]]);
      await subscriber.close();
      await until('1 data plane that left', () => left.length === 1);
      expect(left).toEqual(['dp1']);
    });

    test('reports before a hello are ignored', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      const reports: unknown[] = [];
      publisher.onUpward((dataPlane, message) => void reports.push([dataPlane, message]));
      const link = await new Promise<ClientLink>((resolve) => bus.client.onLink(resolve));
      link.send(wake(1));
      link.send({ type: 'hello', dataPlane: 'dp' });
      link.send(wake(2));
      await until('1 report', () => reports.length === 1);
      expect(reports).toEqual([['dp', wake(2)]]);
    });

    test('scrape collects what the data planes answer', async () => {
      const bus = await setUp();
      const { publisher } = publish(bus);
      expect(await publisher.scrape()).toEqual([]);
      publisher.update({});
      const { mirror, subscriber } = subscribe(bus.client);
      await until('1 change', () => mirror.changes.length === 1);
      expect(await publisher.scrape()).toEqual([{ dataPlane: 'dp1', text: '' }]);
      subscriber.onScrape(async () => 'up 1\n');
      expect(await publisher.scrape()).toEqual([{ dataPlane: 'dp1', text: 'up 1\n' }]);
      subscriber.onScrape(() => {
        throw new Error('no metrics');
      });
      expect(await publisher.scrape()).toEqual([{ dataPlane: 'dp1', text: '' }]);
    });

    test('a data plane that does not answer in time, or leaves, is left out of the scrape', async () => {
      const bus = await setUp();
      const { publisher, clock } = publish(bus);
      const { subscriber } = subscribe(bus.client);
      const asked: (() => void)[] = [];
      subscriber.onScrape(() => new Promise((resolve) => asked.push(() => resolve('late'))));
      publisher.update({});
      const joined = new Promise<void>((resolve) => publisher.onUpward(() => resolve()));
      subscriber.onLink(() => subscriber.send({ type: 'drained', instance: 'i' }));
      await joined;
      const scrape = publisher.scrape();
      await until('1 question', () => asked.length === 1);
      clock.advance(1000);
      expect(await scrape).toEqual([]);
      asked[0]?.();
      const second = publisher.scrape();
      await until('2 questions', () => asked.length === 2);
      await subscriber.close();
      expect(await second).toEqual([]);
      expect(clock.pending).toBe(0);
    });

    test('several data planes are told the same', async (context) => {
      const bus = await setUp();
      if (!bus.another) {
        context.skip('the bus is between exactly two');
        return;
      }
      const { publisher } = publish(bus);
      publisher.update({ models: [modelOf('a')] });
      const left: string[] = [];
      publisher.onLeft((dataPlane) => void left.push(dataPlane));
      const one = subscribe(bus.client, 'one');
      const two = subscribe(bus.another(), 'two');
      one.subscriber.onScrape(() => '1');
      two.subscriber.onScrape(() => '2');
      await until(
        'a change in both mirrors',
        () => one.mirror.changes.length === 1 && two.mirror.changes.length === 1,
      );
      const answers = (await publisher.scrape()).map(({ dataPlane, text }) => [dataPlane, text]);
      expect(Object.fromEntries(answers)).toEqual({ one: '1', two: '2' });
      await two.subscriber.close();
      await until('1 data plane that left', () => left.length === 1);
      publisher.update({ models: [modelOf('a', 2)] });
      await until('2 changes', () => one.mirror.changes.length === 2);
      expect(left).toEqual(['two']);
      expect(two.mirror.models.get('default/a')).toBe(1);
    });

    test('the newest link of a data plane counts; the one before it is closed, and is no departure', async (context) => {
      const bus = await setUp();
      if (!bus.another) {
        context.skip('the bus is between exactly two');
        return;
      }
      const { publisher } = publish(bus);
      publisher.update({});
      const left: string[] = [];
      publisher.onLeft((dataPlane) => void left.push(dataPlane));
      async function join(client: BusClient, dataPlane: string): Promise<ClientLink> {
        const link = await new Promise<ClientLink>((resolve) => client.onLink(resolve));
        const joined = new Promise<void>((resolve) => link.onMessage(() => resolve()));
        link.send({ type: 'hello', dataPlane });
        await joined;
        return link;
      }
      const first = await join(bus.client, 'twice');
      const closed = new Promise<void>((resolve) => first.onClose(resolve));
      const second = await join(bus.another(), 'twice');
      await closed;
      second.close();
      await until('a data plane has left', () => left.length > 0);
      const other = await join(bus.another(), 'other');
      other.close();
      await until('the other one has left', () => left.includes('other'));
      expect(left).toEqual(['twice', 'other']);
    });

    test('a gap that was found on a link that broke does not outlive it', async (context) => {
      const bus = await setUp();
      if (!bus.cut) {
        context.skip('both ends share one fate');
        return;
      }
      const links: HostLink[] = [];
      const hellos: Upward[] = [];
      bus.host.onLink((link) => {
        links.push(link);
        link.onMessage((message) => hellos.push(message));
      });
      const { mirror } = subscribe(bus.client);
      await until('1 hello', () => hellos.length === 1);
      links[0]?.send({ type: 'snapshot', epoch: 'e1', version: 1, models: [], instances: [] });
      links[0]?.send({ type: 'delta', epoch: 'e1', version: 3 });
      await until('2 hellos', () => hellos.length === 2);
      bus.cut();
      await until('3 hellos', () => hellos.length === 3);
      expect(hellos[2]).toEqual({ type: 'hello', dataPlane: 'dp1', epoch: 'e1', version: 1 });
      links[1]?.send({ type: 'delta', epoch: 'e1', version: 2 });
      await until('2 changes', () => mirror.changes.length === 2);
    });

    test('after a cut the last state holds; the new link brings only what was missed', async (context) => {
      const bus = await setUp();
      if (!bus.cut) {
        context.skip('both ends share one fate');
        return;
      }
      const { publisher } = publish(bus);
      publisher.update({ models: [modelOf('a')] });
      let links = 0;
      const { mirror, subscriber } = subscribe(bus.client);
      subscriber.onLink(() => void links++);
      await until('1 change', () => mirror.changes.length === 1);
      const joined: string[] = [];
      publisher.onJoined((dataPlane) => void joined.push(dataPlane));
      const left = new Promise<string>((resolve) => publisher.onLeft(resolve));
      bus.cut();
      expect(joined).toEqual([await left]);
      publisher.update({ models: [modelOf('a', 2)] });
      publisher.update({ models: [modelOf('b')] });
      expect([...mirror.models]).toEqual([['default/a', 1]]);
      await until('3 changes', () => mirror.changes.length === 3);
      expect(links).toBe(2);
      expect(joined).toHaveLength(2);
      expect(mirror.changes.map(({ full }) => full)).toEqual([true, false, false]);
      expect([...mirror.models]).toEqual([
        ['default/a', 2],
        ['default/b', 1],
      ]);
    });

    test('whatever is changed and cut, the data plane ends with the state of control', async (context) => {
      const probe = await setUp();
      if (!probe.cut) {
        context.skip('both ends share one fate');
        return;
      }
      const names = fc.constantFrom('a', 'b', 'c', 'd');
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ set: names, removed: fc.boolean() }) },
        { weight: 1, arbitrary: fc.constant('cut' as const) },
        { weight: 1, arbitrary: fc.constant('settle' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const bus = await create();
          const { publisher } = publish(bus, 'e1', 3);
          const { mirror } = subscribe(bus.client);
          const truth = new Map<string, number>();
          let generation = 0;
          for (const item of steps) {
            if (item === 'cut') bus.cut?.();
            else if (item === 'settle') await new Promise((resolve) => setImmediate(resolve));
            else if (item.removed) {
              truth.delete(`default/${item.set}`);
              publisher.update({ removedModels: [`default/${item.set}`] });
            } else {
              truth.set(`default/${item.set}`, ++generation);
              publisher.update({ models: [modelOf(item.set, generation)] });
            }
          }
          publisher.update({ instances: [instanceOf('last')] });
          await until('the last instance', () => mirror.instances.has('last'));
          expect(mirror.models).toEqual(truth);
          await bus.close();
        }),
        { numRuns: 25 },
      );
    });

    test('a reader that has stopped is cut at the limit', async (context) => {
      const bus = await setUp();
      if (bus.backlog === undefined) {
        context.skip('both ends share one fate');
        return;
      }
      const { down } = await linked(bus);
      let closed = false;
      down.onClose(() => (closed = true));
      const part = 'x'.repeat(2 ** 20);
      let sent = 0;
      while (!closed && sent < bus.backlog * 4) {
        down.send({ type: 'delta', epoch: 'e', version: 1, removedModels: [part] });
        sent += part.length;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until('the link is closed', () => closed);
      expect(sent).toBeGreaterThan(bus.backlog);
      expect(sent).toBeLessThan(bus.backlog * 4);
    });
  });
}
