import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { applyAtStart } from '#serve/apply-at-start.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();

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
