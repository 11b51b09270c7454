import { expect, test } from 'vitest';
import type { Client } from '#cli/client.ts';
import { waitUntilSettled } from '#cli/wait.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { createCapture, createWorld, fileOf } from './world.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

test('who waits for more than a few seconds is told for what, and when that changes', async () => {
  const world = await createWorld();
  teardown(() => world.close());
  await world.write('a.yaml', fileOf('a'));
  await world.run(['apply', '-f', 'a.yaml']);
  const model = await world.server.send({ path: '/api/v1/namespaces/default/models/a' });
  const body = model.json() as { status: { revisions: Record<string, string>[] } };
  const [revision] = body.status.revisions;
  const clock = createFakeClock();
  const stderr = createCapture();
  let asked = 0;
  const call: Client['call'] = async (_, read) => {
    asked += 1;
    const reason = asked < 20 ? 'r' : 'waits for room.';
    if (revision) Object.assign(revision, { state: asked < 30 ? 'Proving' : 'Ready', reason });
    setImmediate(() => clock.advance(1000));
    return read(body);
  };
  const client = { server: 'http://127.0.0.1:9', call, send: () => Promise.reject() };
  const applied = { namespace: 'default', name: 'a', revisions: [revision?.['name'] ?? ''] };
  const signal = new AbortController().signal;
  const settled = await waitUntilSettled(
    client,
    { ...applied, outcome: 'created' },
    {
      clock,
      stderr,
      signal,
    },
  );
  expect(settled.state).toBe('Ready');
  const told = (reason: string): string =>
    `a ${applied.revisions[0]} is Proving: ${reason}. See: npx rouse why a --server http://127.0.0.1:9\n`;
  expect(stderr.text()).toBe(told('r') + told('waits for room'));
});
