import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWorld, fileOf, type World } from './world.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await world.write('m.yaml', fileOf('m'));
});
afterEach(async () => {
  await world.close();
});

const warm = (name: string, times = '0 8 * * *'): string =>
  [
    'apiVersion: rouse.dev/v1alpha1',
    'kind: Schedule',
    `metadata: { name: ${name} }`,
    'spec:',
    `  schedule: '${times}'`,
    '  timeZone: Europe/Berlin',
    '  warmUp: { model: m, duration: 9h }',
    '',
  ].join('\n');

test('a folder of models and schedules: the models come first, whatever their files are called', async () => {
  await world.write('a-warm.yaml', warm('mornings'));
  const first = await world.run(['apply', '-f', '.']);
  expect(first).toMatchObject({ status: 0, stderr: '' });
  expect(first.stdout).toMatch(
    /^m {2}created {4}v1 {2}Ready\nmornings {2}created {4}next \S+T0[67]:00:00Z\n$/,
  );
  const second = await world.run(['apply', '-f', 'a-warm.yaml']);
  expect(second.stdout).toMatch(/^mornings {2}unchanged {2}next/);
});

test('what is wrong is told with its line, and nothing is applied', async () => {
  const text = `${warm('one', '0 25 * * *')}---\n${warm('two')}---\n${warm('two')}`;
  await world.write('wrong.yaml', text);
  const ran = await world.run(['apply', '-f', 'wrong.yaml']);
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain('wrong.yaml:5: spec.schedule: found "0 25 * * *"');
  expect(ran.stderr).toContain(
    'schedule two is also in wrong.yaml:11: one document for each schedule',
  );
  expect((await world.run(['get', 'schedules'])).stderr).toBe(
    'no schedules in namespace default\n',
  );
});

test('a schedule of a model that is not there is refused', async () => {
  await world.write('warm.yaml', warm('mornings'));
  const ran = await world.run(['apply', '-f', 'warm.yaml']);
  expect(ran).toMatchObject({ status: 1, stdout: '' });
  expect(ran.stderr).toContain('warm.yaml: spec.warmUp.model: found "m", expected a model of');
});

test('a batch job is refused where there are none', async () => {
  const batch = 'batch: { model: m, input: { location: /in.csv }, output: { path: /out.csv } }';
  await world.write('batch.yaml', warm('nightly').replace(/warmUp.*/, batch));
  const ran = await world.run(['apply', '-f', '.']);
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain('batch.yaml: batch jobs need a folder for their files');
});

test('it is shown, run, and removed; JSON has it as it was written', async () => {
  await world.write('warm.yaml', warm('mornings'));
  await world.run(['apply', '-f', '.']);
  const table = await world.run(['get', 'schedules']);
  expect(table.stdout).toMatch(
    /mornings +0 8 \* \* \* +Europe\/Berlin +warmUp m +\S+Z +0 +- +0\n$/,
  );
  const json = await world.run(['get', 'schedules', 'mornings', '-o', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ spec: { warmUp: { duration: '9h' } } });
  const ran = await world.run(['run', 'mornings', 'now']);
  expect(ran.stdout).toMatch(/mornings-[0-9a-f]{6} +mornings +manual +Starting/);
  expect((await world.run(['get', 'runs', 'mornings'])).stdout).toMatch(/mornings-[0-9a-f]{6} /);
  expect((await world.run(['run', 'mornings'])).status).toBe(2);
  const gone = await world.run(['schedule', 'delete', 'mornings']);
  expect(gone.stdout).toBe('mornings  deleted\n');
  const miss = await world.run(['run', 'mornings', 'now']);
  expect(miss.stderr).toContain('there is no schedule default/mornings');
});
