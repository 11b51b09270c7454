import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createDataPlane } from '#activator/data-plane.ts';
import type { BusClient, Link } from '#bus/bus.ts';
import type { Downward, NewLease, RevisionLoad, Upward } from '#bus/messages.ts';
import { parseServer } from '#domain/server-sources.ts';
import { silentLog } from '#lib/log.ts';
import { findSharedPort } from '#serve/shared-port.ts';
import { listening } from '#test/listening.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';
import { call, makeInstance, makeModel } from './harness.ts';

/** The bus as the test wants it: links come and go when it says so. */
function createHandBus() {
  let accept: (link: Link<Upward, Downward>) => void = () => {};
  let drop: () => void = () => {};
  const client: BusClient = { onLink: (listener) => (accept = listener), close: async () => {} };
  return {
    client,
    drop: () => drop(),
    link(instances: Extract<Downward, { type: 'snapshot' }>['instances'], model = makeModel()) {
      const sent: Upward[] = [];
      let say: (message: Downward) => void = () => {};
      accept({
        send: (message) => sent.push(message),
        onMessage(listener) {
          say = listener;
          say({ type: 'snapshot', epoch: 'e', version: 1, models: [model], instances });
        },
        onClose: (listener) => (drop = listener),
        close: () => {},
      });
      return {
        lease: (...leases: readonly NewLease[]) =>
          say({ type: 'lease', epoch: 'e', version: 1, leases }),
        loads: (): RevisionLoad[] =>
          sent.flatMap((message) => (message.type === 'load' ? message.revisions : [])),
      };
    },
  };
}

async function createOne(
  flags: Readonly<Record<string, string>>,
  processes: number,
  sharePort = false,
) {
  const bus = createHandBus();
  const clock = createFakeClock();
  const settings = parseServer({
    env: {},
    flags: { '--listen': '127.0.0.1:0', ...flags },
    totalMemory: 2 ** 30,
  });
  const own = {
    dataPlane: 'one',
    hasOthers: false,
    sharePort,
    version: '0.0.0',
    log: silentLog,
  };
  const plane = await createDataPlane(settings, { ...own, client: bus.client, clock, processes });
  return { bus, clock, plane };
}

test('what came while control was away is in the first report that it hears', async () => {
  const server = createServer((_, response) => void response.end('served'));
  const instance = makeInstance(await listening(server));
  const { bus, clock, plane } = await createOne({}, 1);
  bus.link([instance]);
  await plane.ready;
  bus.drop();
  for (let i = 0; i < 3; i += 1) {
    expect((await call(plane.port, '/models/default/digits/')).status).toBe(200);
  }
  clock.advance(5000);
  const { loads } = bus.link([instance]);
  clock.advance(1000);
  expect(loads().map(({ arrivals }) => arrivals)).toEqual([3]);
  await plane.close(0);
  server.closeAllConnections();
  server.close();
});

test('its metrics say which slots are leased to it, and whether control is there', async () => {
  const { bus, plane } = await createOne({}, 2);
  const found = (name: string): string[] =>
    plane
      .metrics()
      .split('\n')
      .filter((line) => line.startsWith(name));
  expect(found('rouse_control_linked')).toEqual(['rouse_control_linked 0']);
  const one = makeInstance(1, { leased: true });
  const two = makeInstance(2, { leased: true });
  const { lease } = bus.link([one, two]);
  const labels = '{namespace="default",model="digits",revision="v1"}';
  expect(found('rouse_leased_slots')).toEqual([`rouse_leased_slots${labels} 0`]);
  lease({ instance: one.id, slots: 5, sequence: 1 }, { instance: two.id, slots: 2, sequence: 2 });
  expect(found('rouse_leased_slots')).toEqual([`rouse_leased_slots${labels} 7`]);
  expect(found('rouse_control_linked')).toEqual(['rouse_control_linked 1']);
  lease({ instance: one.id, slots: 1, sequence: 3 });
  bus.drop();
  expect(found('rouse_leased_slots')).toEqual([`rouse_leased_slots${labels} 3`]);
  expect(found('rouse_control_linked')).toEqual(['rouse_control_linked 0']);
  await plane.close(0);
});

test('where all slots are its own, none is leased', async () => {
  const { bus, plane } = await createOne({}, 1);
  bus.link([makeInstance(1)]);
  expect(plane.metrics()).not.toMatch(/^rouse_leased_slots/m);
  await plane.close(0);
});

test('of a limit for all connections together, each of several processes has its share', async () => {
  const { plane } = await createOne({ '--limits-connections': '4' }, 2);
  const dial = () => connect({ port: plane.port, host: '127.0.0.1' });
  const kept = [dial(), dial()];
  await Promise.all(kept.map((socket) => once(socket, 'connect')));
  const warn = vi.spyOn(silentLog, 'warn');
  onTestFinished(() => warn.mockRestore());
  for (let more = 1; more <= 2; more += 1) {
    const refused = dial().on('error', () => {});
    refused.resume();
    await once(refused, 'close');
    const line = `rouse_connection_refusals_total{reason="full"} ${more}`;
    await until('it is counted', () => plane.metrics().includes(line));
  }
  expect(kept.map((socket) => socket.closed)).toEqual([false, false]);
  expect(warn.mock.calls).toEqual([
    [{ address: '127.0.0.1' }, expect.stringContaining('2 are open, as many as may')],
  ]);
  for (const socket of kept) socket.destroy();
  await plane.close(0);
});

test('of what may wait for a model, each of several processes has its share, and says so', async () => {
  const { bus, clock, plane } = await createOne({}, 2);
  const queue = { requests: 5, bytes: 2 ** 20 };
  bus.link([], makeModel({ queue }));
  const ask = () => call(plane.port, '/models/default/digits/');
  const held = [ask(), ask()];
  await until('two wait', () => /^rouse_queue_depth.* 2$/m.test(plane.metrics()));
  const third = await ask();
  expect(third.status).toBe(503);
  expect(JSON.parse(third.body)).toMatchObject({
    code: 'queue_full',
    detail: expect.stringContaining(
      '2 requests wait already, as many as may at this worker, whose share of 5',
    ),
  });
  const ended = Promise.allSettled(held);
  const closed = plane.close(0);
  clock.advance(1000);
  await closed;
  await ended;
});

test('where others listen, too, it takes connections only when it knows the models', async () => {
  const server = createServer((_, response) => void response.end('served'));
  const instance = makeInstance(await listening(server));
  const port = await findSharedPort({ host: '127.0.0.1', port: 0 });
  const flags = { '--listen': `127.0.0.1:${port}` };
  const [first, second] = [await createOne(flags, 2, true), await createOne(flags, 2, true)];
  await expect(call(port, '/models/default/digits/')).rejects.toThrow('ECONNREFUSED');
  first.bus.link([instance]);
  await first.plane.ready;
  // The system gives each of them its part.
  for (let count = 0; count < 50; count += 1) {
    expect((await call(port, '/models/default/digits/')).status).toBe(200);
  }
  second.bus.link([instance]);
  await second.plane.ready;
  await first.plane.close(0);
  expect((await call(port, '/models/default/digits/')).status).toBe(200);
  await second.plane.close(0);
  server.closeAllConnections();
  server.close();
});

test('one that never learned of a model ends without having listened', async () => {
  const port = await findSharedPort({ host: '127.0.0.1', port: 0 });
  const { bus, plane } = await createOne({ '--listen': `127.0.0.1:${port}` }, 2, true);
  await plane.close(0);
  bus.link([]);
  await expect(call(port, '/models/default/digits/')).rejects.toThrow('ECONNREFUSED');
});
