import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Actor } from '#domain/records.ts';
import { ADMIN, createHarness, deployed, type Harness, program } from './harness.ts';

const KUBECTL: Actor = { id: 'kubernetes:kubectl-edit', role: 'deploy' };

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

function cases() {
  return harness.control.useCases;
}

/** The same file, by whom it is said. */
async function apply(actor: Actor, requests: number): Promise<unknown> {
  return await cases().applyModel(actor, {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'm' },
    spec: { revision: program(), queue: { requests } },
  });
}

const BY_OBJECT =
  'model default/m is kept by its Model object in the cluster, which is the place to change it: ' +
  'kubectl edit models.rouse.dev m --namespace default';

test('what a Model object keeps, nobody else changes; a restart forgets no owner', async () => {
  await apply(KUBECTL, 1);
  await harness.restart();
  const row = [{ latest: true as const, percent: 100 }];
  const attempts = [
    () => apply(ADMIN, 2),
    () => cases().setTraffic(ADMIN, 'default', 'm', row),
    () => cases().deleteModel(ADMIN, 'default', 'm'),
  ];
  for (const attempt of attempts) {
    await expect(attempt()).rejects.toMatchObject({ code: 'conflict', message: BY_OBJECT });
  }
  await expect(apply(KUBECTL, 2)).resolves.toMatchObject({ outcome: 'changed' });
  await cases().deleteModel(KUBECTL, 'default', 'm');
});

test('what was applied by way of the API, no object changes, until it is given to it', async () => {
  await deployed(harness);
  const refusal = { code: 'conflict', message: /^model default\/m is kept by way of the API/ };
  await expect(apply(KUBECTL, 2)).rejects.toMatchObject({
    ...refusal,
    message: expect.stringMatching(refusal.message),
  });
  await cases().setOwner(KUBECTL, 'default', 'm', 'kubernetes');
  await cases().setOwner(KUBECTL, 'default', 'm', 'kubernetes');
  await apply(KUBECTL, 2);
  await expect(apply(ADMIN, 3)).rejects.toMatchObject({ code: 'conflict' });
  await cases().setOwner(KUBECTL, 'default', 'm', undefined);
  await apply(ADMIN, 3);
  const events = await harness.events('OwnerChanged');
  expect(events.map(({ why }) => why)).toEqual([
    'its Model object keeps it from now on',
    'it is kept by way of the API from now on',
  ]);
});
