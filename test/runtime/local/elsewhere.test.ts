import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RevisionSpecInput } from '#domain/model.ts';
import type { Workload } from '#runtime/runtime.ts';
import { createFakeClock, letFlow } from '#test/fake-clock.ts';
import { listening } from '#test/listening.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { wanted } from '../conformance.ts';
import { createLocalSetup, type LocalSetup } from './harness.ts';

/** Runtime `url`: what runs elsewhere is asked once, before its revision is Ready. */

const teardown = useTeardown();
let setup: LocalSetup;
let endFlow: () => void;
beforeEach(async () => {
  const clock = createFakeClock();
  endFlow = letFlow(clock);
  setup = await createLocalSetup({ clock });
});
afterEach(async () => {
  await setup.close();
  endFlow();
});

function unproven(source: string, readiness: RevisionSpecInput['readiness']): Workload {
  const workload = setup.workload({ runtime: 'url', source, readiness });
  return { ...workload, unproven: true };
}

/** Answers with these, one after the other; the last one again and again. */
async function serve(...statuses: number[]): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    response.writeHead(statuses.length > 1 ? statuses.shift()! : statuses[0]!).end();
  });
  const port = await listening(server);
  teardown(() => end(server));
  return { port, asked };
}

async function end(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

test('it is ready when it has answered, at its own address, as the way to it goes', async () => {
  const { port, asked } = await serve(503, 404, 204);
  const workload = unproven(`http://localhost:${port}/base/`, { path: '/ready' });
  expect(await setup.ready(workload)).toMatchObject({ address: { basePath: '/base' } });
  expect(asked).toEqual(Array.from({ length: 3 }, () => `localhost:${port} /base/ready`));
});

test('without a path any answer below 500 will do', async () => {
  const { port } = await serve(500, 401);
  await setup.ready(unproven(`http://127.0.0.1:${port}`, {}));
});

test('where nothing answers it fails, and says what was seen', async () => {
  const { port } = await serve(503);
  const answers = unproven(`http://127.0.0.1:${port}/`, { timeout: '1500ms' });
  expect((await setup.failed(answers)).reason).toBe('not ready within 1.5s: GET / answered 503');
  const source = 'http://127.0.0.1:9/';
  const { reason } = await setup.failed(unproven(source, { timeout: '1500ms' }));
  expect(reason).toMatch(/^not ready within 1.5s: nothing answers at .*:9\/: .*ECONNREFUSED/);
});

test('once its revision is Ready it is taken as it is', async () => {
  const workload = setup.workload({ runtime: 'url', source: 'http://127.0.0.1:9/' });
  await setup.ready(workload);
});

test('it may be let go while it is asked', async () => {
  const { port, asked } = await serve(503);
  const workload = unproven(`http://127.0.0.1:${port}/`, {});
  await setup.runtime.want(workload, wanted(1));
  await until('it is asked', () => asked.length > 0);
  await setup.runtime.want(workload, wanted(0, 0));
  await until('it is gone', () => setup.runtime.instances().length === 0);
});
