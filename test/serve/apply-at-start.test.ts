import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createClient } from '#cli/client.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { applyAtStart } from '#serve/apply-at-start.ts';
import { createWorld, fileOf } from '#test/cli/world.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

test('models that are in the state and not in the folder are counted', async () => {
  const world = await createWorld();
  teardown(() => world.close());
  await world.write('old.yaml', `${fileOf('b')}---\n${fileOf('c')}`);
  expect(await world.run(['apply', '-f', 'old.yaml'])).toMatchObject({ status: 0 });
  await world.write('new/a.yaml', fileOf('a'));
  const clock = systemClock;
  const started = await applyAtStart({
    client: createClient({ server: world.server.url, fetch, clock }),
    folder: join(world.folder, 'new'),
    applied: false,
    watch: false,
    clock,
    signal: new AbortController().signal,
  });
  expect(started).toMatchObject({
    models: [{ metadata: { name: 'a' } }],
    others: 2,
    problems: 0,
  });
});

test('a start that is interrupted says nothing of models: that they are not ready is no problem', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-apply-'));
  teardown(() => rm(folder, { recursive: true, force: true }));
  const head = 'apiVersion: rouse.dev/v1alpha1\nkind: Model\nmetadata: { name: a }\n';
  const spec = "spec: { revision: { runtime: url, source: 'http://127.0.0.1:9' } }\n";
  await writeFile(join(folder, 'a.yaml'), head + spec);
  const interrupted = new AbortController();
  const refuse = async (): Promise<never> => {
    interrupted.abort();
    throw new Fault('unavailable', 'control is closing');
  };
  const started = await applyAtStart({
    client: { server: 'http://127.0.0.1:9', call: refuse, send: refuse },
    folder,
    applied: false,
    watch: false,
    clock: systemClock,
    signal: interrupted.signal,
  });
  expect(interrupted.signal.aborted).toBe(true);
  expect(started).toBeUndefined();
});
