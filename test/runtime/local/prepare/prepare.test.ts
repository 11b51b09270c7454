import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { revisionSpec } from '#domain/model.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { createPreparer } from '#runtime/local/prepare/prepare.ts';
import type { Workload } from '#runtime/runtime.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-prepare-'));
});
afterEach(() => rm(folder, { recursive: true }));

function workload(digest: string): Workload {
  const artifact: ArtifactRef = { digest, size: 1, name: 'app', kind: 'folder' };
  const spec = revisionSpec.parse({ runtime: 'command', args: [process.execPath] });
  return { key: 'default/m/00001', spec, artifact };
}

test('what was begun for a former revision of the name is not taken for the newest', async () => {
  const former = Promise.withResolvers<string>();
  const preparer = createPreparer({
    folder,
    programs: { serve: [], inspect: [], python: [] },
    base: {},
    materialize: async ({ digest }) => (digest === 'former' ? await former.promise : folder),
    readSecret: async () => undefined,
    findPython: async () => 'python3',
  });
  const late = preparer.prepare(workload('former'));
  await preparer.prepare(workload('newest'));
  former.resolve(tmpdir());
  expect((await late).source).toBe(tmpdir());
  expect(preparer.known('default/m/00001')?.source).toBe(folder);
});
