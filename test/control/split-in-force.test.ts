import { afterEach, expect, test } from 'vitest';
import { ADMIN, createHarness, deployed, type Harness, program, rest } from './harness.ts';

let harness: Harness;

afterEach(async () => {
  await harness.close();
});

const match = { header: 'X-Group', values: ['beta'] };

async function writeSplit(by: string): Promise<void> {
  const targets = [
    { revision: 'v1', percent: 80 },
    { revision: 'v2', percent: 20 },
  ];
  const value = { by, why: 'a test', targets };
  await harness.store.write([{ kind: 'memory', key: 'split/default/m', value }]);
  await harness.restart();
}

function sharesNow(): unknown {
  return harness.outlet.models.get('default/m')?.targets;
}

async function twoRevisions(): Promise<void> {
  harness = await createHarness({ memory: true });
  await deployed(harness, { revision: program({ name: 'v1', args: ['./one'] }) });
  await deployed(harness, { revision: program({ name: 'v2', args: ['./two'] }) });
}

test('a split in force takes the place of the shares that people wrote; tags and matches stay', async () => {
  await twoRevisions();
  expect(sharesNow()).toEqual([{ revision: 'v2', percent: 100 }]);
  await useCasesNow().setTraffic(ADMIN, 'default', 'm', [
    { revision: 'v1', percent: 100, tag: 'old' },
    { latest: true, percent: 0, match },
  ]);
  await writeSplit('selection');
  expect(sharesNow()).toEqual([
    { revision: 'v1', percent: 80 },
    { revision: 'v2', percent: 20 },
    { revision: 'v1', percent: 0, tag: 'old' },
    { revision: 'v2', percent: 0, match },
  ]);
  await expect(useCasesNow().deleteRevision(ADMIN, 'default/m/v2')).rejects.toMatchObject({
    code: 'conflict',
  });
});

function useCasesNow() {
  return harness.control.useCases;
}

test('people who write a split end the one in force', async () => {
  await twoRevisions();
  await writeSplit('rollout');
  await useCasesNow().setTraffic(ADMIN, 'default', 'm', [{ revision: 'v1', percent: 100 }]);
  expect(sharesNow()).toEqual([{ revision: 'v1', percent: 100 }]);
  expect(await harness.store.get('memory', 'split/default/m')).toBeUndefined();
});

test('a split whose key is not in the document ends with the next change', async () => {
  await twoRevisions();
  await writeSplit('rollout');
  await harness.apply({ scaling: { max: 2 } });
  expect(sharesNow()).toEqual([{ revision: 'v2', percent: 100 }]);
});

test('a deleted model leaves no split behind', async () => {
  await twoRevisions();
  await writeSplit('rollout');
  await useCasesNow().deleteModel(ADMIN, 'default', 'm');
  await rest();
  expect(await harness.store.get('memory', 'split/default/m')).toBeUndefined();
});
