import { MessageChannel } from 'node:worker_threads';
import { createLocalClient, createLocalHost } from '#bus/local.ts';
import { testBus } from './conformance.ts';

testBus('local', async () => {
  const { port1, port2 } = new MessageChannel();
  const host = createLocalHost(port1);
  const client = createLocalClient(port2);
  return {
    host,
    client,
    close: async () => {
      await client.close();
      await host.close();
    },
  };
});
