import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOutput } from '#serve/jobs/program-output.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-output-'));
});
afterEach(() => rm(folder, { recursive: true }));

const leave = (name: string, text = 'x'): Promise<void> => writeFile(join(folder, name), text);
const read = () =>
  readOutput(folder, async (path) => ({
    digest: 'd',
    size: 1,
    name: basename(path),
    kind: 'file',
  }));

test('one file or folder, whatever its name, and what was measured', async () => {
  await leave('model.onnx');
  expect(await read()).toMatchObject({ artifact: { name: 'model.onnx' }, metrics: {}, parent: {} });
  const metrics = { accuracy: { value: 0.9, count: 100 } };
  await leave('metrics.json', JSON.stringify({ metrics }));
  expect(await read()).toMatchObject({ metrics, parent: {} });
  await rm(join(folder, 'model.onnx'));
  await mkdir(join(folder, 'model'));
  expect(await read()).toMatchObject({ artifact: { name: 'model' } });
});

test('nothing, too much, or what is no file', async () => {
  await leave('metrics.json', '{}');
  await expect(read()).rejects.toThrow('left nothing in ROUSE_OUTPUT, expected one file or folder');
  await leave('b.onnx');
  await leave('a.onnx');
  await expect(read()).rejects.toThrow('left a.onnx, b.onnx in ROUSE_OUTPUT');
  await rm(join(folder, 'a.onnx'));
  await rm(join(folder, 'b.onnx'));
  await symlink('/etc/hostname', join(folder, 'link'));
  await expect(read()).rejects.toThrow('left link, which is no file or folder');
});

test('metrics of which there would be no end are not read', async () => {
  await leave('model.onnx');
  await symlink('/dev/zero', join(folder, 'metrics.json'));
  await expect(read()).rejects.toThrow('metrics.json is no file');
});

test.each([
  ['{', 'metrics.json is no JSON'],
  ['{"accuracy": 0.9}', 'accuracy: found 0.9, expected'],
  ['{"metrics": {"accuracy": 0.9}}', 'metrics.accuracy: found 0.9, expected'],
  ['{"metrics": {"accuracy": {"value": "high"}}}', 'metrics.accuracy.value: found "high"'],
  ['{"metrics": {"loss": {"value": 3, "count": 9}}}', 'metrics.loss.deviation: found nothing'],
  [' '.repeat(300_000), 'metrics.json has'],
])('metrics that are none: %.40s', async (text, why) => {
  await leave('model.onnx');
  await leave('metrics.json', text);
  await expect(read()).rejects.toThrow(why);
});
