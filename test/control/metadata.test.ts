import { afterEach, beforeEach, expect, test } from 'vitest';
import { ADMIN, deployed, type Harness, createHarness, program, reaches } from './harness.ts';

/** What a server says of itself in its proof is known while the model sleeps, too. */

let harness: Harness;
beforeEach(async () => {
  harness = await createHarness();
});
afterEach(async () => {
  await harness.close();
});

const KEY = 'default/m/00001';
const SAID = {
  platform: 'rouse_python',
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
  outputs: [{ name: 'label', datatype: 'BYTES', shape: [-1], labels: ['good', 'bad'] }],
};

async function inspectionOf(key: string) {
  return (await harness.control.useCases.getRevision(ADMIN, key)).value.inspection;
}

test('it is kept with the revision and told to the data plane, after a restart too', async () => {
  harness.runtime.setMetadata(KEY, SAID);
  await deployed(harness);
  for (const restart of [false, true]) {
    if (restart) await harness.restart();
    expect(await inspectionOf(KEY)).toEqual({ ...SAID, properties: {} });
    expect(harness.outlet.models.get('default/m')?.revisions).toMatchObject([SAID]);
    expect(harness.runtime.instances(KEY)).toEqual([]);
  }
});

test('what was found in the file comes before it', async () => {
  const found = { platform: 'onnx', inputs: [], outputs: SAID.outputs, properties: { a: 'b' } };
  harness.runtime.setInspection(KEY, found);
  harness.runtime.setMetadata(KEY, SAID);
  await deployed(harness, { revision: { runtime: 'onnx', source: await harness.upload('x') } });
  expect(await inspectionOf(KEY)).toEqual(found);
});

test('a server that says nothing leaves nothing, and the next revision is told anew', async () => {
  await deployed(harness);
  expect(await inspectionOf(KEY)).toBeUndefined();
  harness.runtime.setMetadata('default/m/00002', SAID);
  await harness.apply({ revision: program({ args: ['./other'] }) });
  await reaches(harness, 'default/m/00002', 'Ready');
  expect(await inspectionOf('default/m/00002')).toMatchObject(SAID);
  expect(await inspectionOf(KEY)).toBeUndefined();
});
