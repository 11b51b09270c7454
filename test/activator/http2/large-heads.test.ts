import { expect, test } from 'vitest';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { type Harness, makeInstance, makeModel, startHarness, startInstance } from '../harness.ts';
import { answerOf, openSession } from './client.ts';

/** Large heads count in the budget of held bytes: by HTTP/2 each takes a few bytes to send. */

const PATH = '/models/default/digits/';
/** Less than a server of Node takes. */
const HEAD = 12_000;
const BUDGET = 40_000;

const teardown = useTeardown();

async function start(): Promise<Harness> {
  const harness = await startHarness({ heldBytes: BUDGET });
  teardown(() => harness.close());
  harness.publisher.update({ models: [makeModel()] });
  await harness.activator.ready;
  return harness;
}

function heldBytes({ activator }: Harness): number {
  return Number(/^rouse_held_bytes (\d+)$/m.exec(activator.metrics())?.[1]);
}

test('beyond the budget they are refused, those that wait are served, and nothing stays counted', async () => {
  const harness = await start();
  const session = await openSession(harness.port);
  teardown(() => session.destroy());
  const large = { ':path': PATH, 'x-large': 'x'.repeat(HEAD) };
  const answers = Array.from({ length: 20 }, () => answerOf(session.request(large)));
  const refused: number[] = [];
  for (const answer of answers) void answer.then(({ status }) => refused.push(status));
  await until('what is too much is refused', () => refused.length === 17);
  expect(new Set(refused)).toEqual(new Set([503]));
  expect(heldBytes(harness)).toBeGreaterThan(3 * HEAD);
  expect(heldBytes(harness)).toBeLessThanOrEqual(BUDGET);
  // A head as most are needs no room.
  const small = answerOf(session.request({ ':path': PATH }));
  await harness.report('load', ({ revisions }) => revisions.some(({ queued }) => queued === 4));

  const instance = await startInstance((_, response) => response.end('served'));
  teardown(() => instance.close());
  harness.publisher.update({ instances: [makeInstance(instance.port)] });
  expect((await small).body).toBe('served');
  const served = (await Promise.all(answers)).filter(({ status }) => status === 200);
  expect(served).toHaveLength(3);
  await until('nothing is counted', () => heldBytes(harness) === 0);
});

test('they count while the instance answers, too, and not any more when their callers have left', async () => {
  const harness = await start();
  const instance = await startInstance((_, response) => response.write('begun'));
  teardown(() => instance.close());
  harness.publisher.update({ instances: [makeInstance(instance.port)] });
  const session = await openSession(harness.port);
  teardown(() => session.destroy());
  const stream = session.request({ ':path': PATH, 'x-large': 'x'.repeat(HEAD) });
  stream.on('error', () => {});
  await new Promise((resolve) => {
    stream.once('data', resolve);
  });
  expect(heldBytes(harness)).toBeGreaterThan(HEAD);
  session.destroy();
  await until('nothing is counted', () => heldBytes(harness) === 0);
});
