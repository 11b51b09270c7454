import { expect, test } from 'vitest';
import { createDirectBus } from '#bus/direct.ts';
import { createPublisher } from '#bus/publisher.ts';
import { createSubscriber } from '#bus/subscriber.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { testBus } from './conformance.ts';
import { modelOf } from './routing.ts';

testBus('direct', async () => {
  const { host, client } = createDirectBus();
  return {
    host,
    client,
    close: async () => {
      await client.close();
      await host.close();
    },
  };
});

test('a change has been taken in when update returns', async () => {
  const { host, client } = createDirectBus();
  const publisher = createPublisher({ host, epoch: 'e1', clock: createFakeClock() });
  const seen: string[] = [];
  const joined = new Promise<void>((resolve) => publisher.onJoined(() => resolve()));
  createSubscriber({
    client,
    dataPlane: 'dp',
    onState: ({ models }) => seen.push(...models.map(({ name }) => name)),
  });
  await joined;
  publisher.update({ models: [modelOf('a')] });
  expect(seen).toEqual(['a']);
  publisher.update({ models: [modelOf('b')] });
  expect(seen).toEqual(['a', 'b']);
});

test('what the data plane says in the middle of a change is delivered after it', async () => {
  const { host, client } = createDirectBus();
  const publisher = createPublisher({ host, epoch: 'e1', clock: createFakeClock() });
  const order: string[] = [];
  const joined = new Promise<void>((resolve) => publisher.onJoined(() => resolve()));
  const subscriber = createSubscriber({
    client,
    dataPlane: 'dp',
    onState() {
      subscriber.send({ type: 'drained', instance: 'i' });
      order.push('applied');
    },
  });
  const told = new Promise<void>((resolve) =>
    publisher.onUpward(() => {
      order.push('drained');
      resolve();
    }),
  );
  await joined;
  publisher.update({});
  await told;
  expect(order).toEqual(['applied', 'drained']);
});
