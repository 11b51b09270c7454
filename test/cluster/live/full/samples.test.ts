import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type DrivenCluster, MISSING, NEEDS } from '../cluster.ts';
import { shareCluster } from '../share-cluster.ts';

const CHILD = join(import.meta.dirname, '../serve-child.ts');
const IMAGE = 'dev.local/rouse:v1';
const ANSWERS = { digits: [3], chat: 200, embed: 200, sentiment: 200, lang: 200 };

describe.skipIf(MISSING.length > 0)(`rouse serve on a cluster ${NEEDS}`, () => {
  let cluster: DrivenCluster;

  beforeAll(async () => {
    cluster = await shareCluster('rouse');
  });

  test('the sample models run from the same files: awake, split, asleep, woken, gone', async () => {
    const seen: unknown = JSON.parse(await cluster.must('exec', process.execPath, CHILD, IMAGE));
    const all = { chat: '', digits: '', embed: '', lang: '', sentiment: '' };
    expect(seen).toEqual({
      applied: 'all',
      awake: { ...ANSWERS, cold: 'false' },
      split: { v1: 180, v2: 20 },
      states: Object.fromEntries(Object.keys(all).map((name) => [name, 'Asleep'])),
      woken: { ...ANSWERS, cold: 'true' },
      deleted: [0, 0, 0, 0, 0],
    });
  });
});
