import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEntering, type Entering } from '#activator/entry/entering.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const clock = createFakeClock();
let entering: Entering;
let refused: string[];
const server = createServer((socket) => entering.add(socket));
const sockets: Socket[] = [];

beforeEach(async () => {
  refused = [];
  entering = createEntering(clock, (reason) => void refused.push(reason));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  await once(server, 'close');
});

async function open(): Promise<{ outside: Socket; inside: Socket }> {
  const outside = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.push(outside);
  const [[inside]] = (await Promise.all([
    once(server, 'connection'),
    once(outside, 'connect'),
  ])) as [[Socket], unknown];
  return { outside, inside };
}

test('who says too little for too long is closed; who is through has time', async () => {
  const slow = await open();
  const through = await open();
  entering.admit(through.inside);
  clock.advance(9999);
  expect(refused).toEqual([]);
  clock.advance(1);
  expect(refused).toEqual(['timeout']);
  await once(slow.outside, 'close');
  expect(through.inside.destroyed).toBe(false);
  through.inside.destroy();
});

test('who leaves is counted once, and what ends it later is not', async () => {
  const { outside, inside } = await open();
  outside.destroy();
  await once(inside, 'close');
  entering.refuse(inside, 'tls');
  entering.cut();
  clock.advance(20_000);
  expect(refused).toEqual(['left']);
});

test('at the end all that are on their way are closed', async () => {
  const both = [await open(), await open()];
  entering.cut();
  await Promise.all(both.map(({ outside }) => once(outside, 'close')));
  expect(refused).toHaveLength(2);
});
