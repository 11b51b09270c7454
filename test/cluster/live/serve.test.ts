import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONTAINERD_SOCKET } from '#test/cluster/components.ts';
import { runProgram } from '#test/cluster/run-program.ts';
import { createTestCluster, MISSING, NEEDS, type TestCluster } from './cluster.ts';

const CHILD = join(import.meta.dirname, 'serve-child.ts');
const MAKE_IMAGE = join(import.meta.dirname, '../../../knative/image/main.ts');
const IMAGE = 'dev.local/rouse:v1';
const ANSWERS = { digits: [3], chat: 200, embed: 200, sentiment: 200, lang: 200 };

describe.skipIf(MISSING.length > 0)(`rouse serve on a cluster ${NEEDS}`, () => {
  let cluster: TestCluster;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rouse-image-'));
    const archive = join(folder, 'image.tar');
    const make = [process.execPath, MAKE_IMAGE, '--out', archive, '--name', IMAGE];
    const made = await runProgram(make);
    expect(made.code, made.stderr).toBe(0);
    cluster = createTestCluster();
    await cluster.must('up');
    const containerd = ['ctr', '--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io'];
    await cluster.must('exec', ...containerd, 'images', 'import', archive);
  });
  afterAll(async () => {
    await cluster?.close();
    rmSync(folder, { recursive: true });
  });

  test('the sample models run from the same files: awake, split, asleep, woken, gone', async () => {
    const seen: unknown = JSON.parse(await cluster.must('exec', process.execPath, CHILD, IMAGE));
    const all = { chat: '', digits: '', embed: '', lang: '', sentiment: '' };
    expect(seen).toEqual({
      applied: 'all',
      awake: { ...ANSWERS, cold: 'false' },
      split: true,
      states: Object.fromEntries(Object.keys(all).map((name) => [name, 'Asleep'])),
      woken: { ...ANSWERS, cold: 'true' },
      deleted: [0, 0, 0, 0, 0],
    });
  });
});
