import { afterEach, beforeEach, expect, test } from 'vitest';
import { createWorld, fileOf, type World } from './world.ts';

let world: World;

beforeEach(async () => {
  world = await createWorld();
  await world.write('a.yaml', fileOf('a'));
  expect(await world.run(['apply', '-f', 'a.yaml'])).toMatchObject({ status: 0 });
});

afterEach(() => world.close());

test('what was deleted is listed, and comes back', async () => {
  expect(await world.run(['get', 'models', '--deleted'])).toMatchObject({
    stdout: '',
    stderr: 'no deleted models in namespace default\n',
  });
  expect((await world.run(['delete', 'a'])).stdout).toBe('a  deleted\n');
  const list = await world.run(['get', 'models', '--deleted', '-A']);
  expect(list.stdout).toMatch(
    /^NAMESPACE +NAME +KIND +REVISIONS +DELETED +RESTORABLE UNTIL +BY +WHY\n/,
  );
  expect(list.stdout).toMatch(/\ndefault +a +model +v1 .* local +deleted by local\n/);
  expect(await world.run(['restore', 'a'])).toMatchObject({ status: 0, stderr: '' });
  expect((await world.run(['get', 'models'])).stdout).toMatch(/\na /);
  const again = await world.run(['restore', 'a']);
  expect(again).toMatchObject({ status: 1 });
  expect(again.stderr).toContain('there is no model default/a that was deleted');
});

test('a revision comes back by its name', async () => {
  await world.write('b.yaml', fileOf('a').replace('name: v1', 'name: v2'));
  expect(await world.run(['apply', '-f', 'b.yaml'])).toMatchObject({ status: 0 });
  const path = '/api/v1/namespaces/default/models/a/revisions/v1';
  expect(await world.server.send({ method: 'DELETE', path })).toMatchObject({ status: 204 });
  expect((await world.run(['restore', 'a', 'v1'])).stdout).toBe('a  restored  v1\n');
  expect(await world.server.send({ path })).toMatchObject({ status: 200 });
  const forGood = { method: 'DELETE', path: `${path}?now=true` };
  expect(await world.server.send(forGood)).toMatchObject({ status: 204 });
  expect(await world.run(['restore', 'a', 'v1'])).toMatchObject({ status: 1 });
});

test('for good is for good', async () => {
  expect(await world.run(['delete', 'a', '--now'])).toMatchObject({ status: 0 });
  expect((await world.run(['get', 'models', '--deleted'])).stderr).toMatch(/^no deleted models/);
  expect(await world.run(['restore', 'a'])).toMatchObject({ status: 1 });
});

test('gc tells what goes and, when asked, what stays, and why', async () => {
  const digest = (await world.server.push('loose')).slice(0, 19);
  const short = await world.run(['gc', '--dry-run']);
  expect(short).toMatchObject({ status: 0, stdout: '' });
  expect(short.stderr).toMatch(/^nothing to clear away\n\d+ are kept: --all shows why\n$/);
  const plan = await world.run(['gc', '--dry-run', '--all']);
  expect(plan.stderr).toBe('');
  expect(plan.stdout).toMatch(/^ACTION +KIND +NAME +GOES AT +WHY\n/);
  expect(plan.stdout).toMatch(/\nkeep +model +default\/a +- +what is unused is kept/);
  expect(plan.stdout).toMatch(/\nkeep +revision +default\/a\/v1 +- +.*the model file has it/);
  expect(plan.stdout).toContain(`\nkeep    artifact  ${digest} 5`);
  const other = await world.run(['gc', '--dry-run', '-n', 'other']);
  expect(other).toMatchObject({ status: 0, stdout: '', stderr: 'nothing to clear away\n' });
  const done = await world.run(['gc']);
  expect(done).toMatchObject({ status: 0, stdout: '', stderr: 'nothing to clear away\n' });
  const json: unknown = JSON.parse((await world.run(['gc', '--dry-run', '-o', 'json'])).stdout);
  expect(json).toContainEqual(expect.objectContaining({ kind: 'model', action: 'keep' }));
});

test('gc --dry-run shows what would go, and how many stay', async () => {
  const rows = [
    { action: 'keep', kind: 'model', name: 'default/a', why: 'it is used' },
    { action: 'remove', kind: 'revision', name: 'default/a/v1', why: 'unused for 30d' },
  ];
  const fetch = async () => Response.json({ items: rows });
  const { stdout, stderr } = await world.run(['gc', '--dry-run'], { fetch });
  expect(stdout).toMatch(/^ACTION .*\nremove +revision +default\/a\/v1 +- +unused for 30d\n$/);
  expect(stderr).toBe('1 is kept: --all shows why\n');
  const all = await world.run(['gc', '--dry-run', '--all'], { fetch });
  expect(all.stdout).toMatch(/\nremove .*\nkeep +model +default\/a +- +it is used\n$/);
  const json = await world.run(['gc', '--dry-run', '-o', 'json'], { fetch });
  expect(JSON.parse(json.stdout)).toHaveLength(2);
});

test.each([
  [['gc', '--all'], '--all needs --dry-run'],
  [['get', 'events', '--deleted'], 'get models --deleted'],
  [['get', 'models', 'a', '--deleted'], 'get models --deleted'],
])('%j is wrong usage', async (args, said) => {
  const ran = await world.run(args);
  expect(ran.status).toBe(2);
  expect(ran.stderr).toContain(said);
});
