import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, createClient } from '#cli/client.ts';
import { systemClock } from '#lib/clock.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const DOUBT = "Is it Rouse's control address?";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

const read = async (client: Client): Promise<unknown> =>
  await client.call({ path: '/x' }, (body) => body);

test.each([200, 500])(
  'a server that sends a head of %i and then nothing is given up',
  async (status) => {
    const clock = createFakeClock();
    const asked = Promise.withResolvers<void>();
    const server = await serve((_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).flushHeaders();
      asked.resolve();
    });
    const answer = read(createClient({ server, fetch, clock }));
    const refused = expect(answer).rejects.toThrow(
      `${server} has not answered within 60s. ${DOUBT}`,
    );
    await asked.promise;
    clock.advance(60_000);
    await refused;
    expect(clock.pending).toBe(0);
  },
);

test('a server that takes a connection and says nothing is given up', async () => {
  const clock = createFakeClock();
  const asked = Promise.withResolvers<void>();
  const server = await serve(() => asked.resolve());
  const refused = expect(read(createClient({ server, fetch, clock }))).rejects.toMatchObject({
    code: 'unavailable',
  });
  await asked.promise;
  clock.advance(60_000);
  await refused;
});

test.each([200, 404])('an answer of %i without an end is not read to it', async (status) => {
  const gone = Promise.withResolvers<void>();
  const block = Buffer.alloc(2 ** 20, 0x20);
  const server = await serve((_, response) => {
    response.on('close', () => gone.resolve());
    response.writeHead(status);
    const write = async (): Promise<void> => {
      while (!response.destroyed) {
        if (!response.write(block)) await Promise.race([once(response, 'drain'), gone.promise]);
        await setImmediate();
      }
    };
    void write();
  });
  const answered = status === 200 ? 'more than 64Mi' : '404 Not Found';
  await expect(read(createClient({ server, fetch, clock: systemClock }))).rejects.toThrow(
    `${server} answered ${answered}. ${DOUBT}`,
  );
  await gone.promise;
});

test('an upload has all the time it takes', async () => {
  const clock = createFakeClock();
  const server = await serve((request, response) => {
    request.resume().on('end', () => response.end('{}'));
  });
  const client = createClient({ server, fetch, clock });
  async function* content(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a');
    clock.advance(3_600_000);
    yield Buffer.from('b');
  }
  expect((await client.send({ method: 'PUT', path: '/x' }, content())).status).toBe(200);
});
