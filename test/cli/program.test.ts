import { createServer } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reachableFrom } from '#cli/reach.ts';
import { suggest } from '#cli/suggest.ts';
import { SERVER_FIELDS } from '#domain/server.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world.close();
});

test('help names every command and exits with 0', async () => {
  const { status, stdout, stderr } = await world.run(['--help']);
  expect([status, stderr]).toEqual([0, '']);
  const commands = 'serve apply deploy push get invoke traffic logs why delete key';
  for (const command of commands.split(' ')) {
    expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    const help = await world.run([command, '--help']);
    expect([command, help.status]).toEqual([command, 0]);
    expect(help.stdout).toContain(`rouse ${command}`);
  }
  expect((await world.run(['--version'])).stdout).toBe('0.0.0-test\n');
});

test.each([
  [[], 2],
  [['fly'], 2],
  [['get'], 2],
  [['get', 'models', '--typo'], 2],
  [['get', 'models', '-o', 'xml'], 2],
  [['get', 'models', '--server', 'localhost'], 2],
  [['why', 'x', '--limit', 'many'], 2],
  [['delete', 'a', 'b'], 2],
])('%j is wrong usage', async (args, status) => {
  const run = await world.run(args);
  expect([run.status, run.stdout]).toEqual([status, '']);
  expect(run.stderr).not.toBe('');
});

test('wrong usage says where help is, in a way that can be pasted', async () => {
  for (const [args, help] of [
    [['fly'], 'npx rouse --help'],
    [['serve', '--typo'], 'npx rouse serve --help'],
    [['serve', '--watch'], 'npx rouse serve --help'],
    [['key', 'make'], 'npx rouse key --help'],
    [['key', 'create'], 'npx rouse key create --help'],
  ] as const) {
    expect((await world.run(args)).stderr).toContain(`(see: ${help})`);
  }
});

test('a key without a role: the refusal says which there are', async () => {
  const { status, stderr } = await world.run(['key', 'create']);
  expect(status).toBe(2);
  expect(stderr).toMatch(/--role.*admin.*deploy.*invoke.*read.* not specified/);
});

test('a suggested command is for the same server and namespace', () => {
  const here = { server: 'http://127.0.0.1:8081', namespace: 'default' };
  expect(suggest(['why', 'a'], here)).toBe('npx rouse why a');
  expect(suggest(['why', 'a b'], { server: 'http://[::1]:9', namespace: 'lab' })).toBe(
    "npx rouse why 'a b' -n lab --server 'http://[::1]:9'",
  );
});

test('a server that does not run, and one that is no Rouse', async () => {
  const other = createServer((_request, response) => response.end('<html>hello</html>'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const url = `http://127.0.0.1:${port}`;
  expect(await world.run(['get', 'models', '--server', url])).toEqual({
    status: 1,
    stdout: '',
    stderr: `rouse: ${url} answered no JSON. Is it Rouse's control address?\n`,
  });
  other.close();
  await once(other, 'close');
  expect(await world.run(['get', 'models', '--server', `${url}/`])).toEqual({
    status: 1,
    stdout: '',
    stderr: `rouse: nothing answers at ${url}. Start it with: npx rouse serve\n`,
  });
});

test('serve: flags, environment and rouse.yaml become settings', async () => {
  const head = 'apiVersion: rouse.dev/v1alpha1\nkind: Server\n';
  await world.write('rouse.yaml', `${head}spec: { domain: file.example, memory: 1Gi }\n`);
  const args = ['serve', '--listen', '127.0.0.1:0', '--require-key', '--apply', 'm', '--watch'];
  const env = { ROUSE_DOMAIN: 'env.example', ROUSE_CONTROL_HOSTS: 'a.example,b.example' };
  expect((await world.run(args, { env })).status).toBe(0);
  expect(world.served.at(-1)).toMatchObject({
    settings: {
      listen: { host: '127.0.0.1', port: 0 },
      domain: 'env.example',
      memory: 2 ** 30,
      requireKey: true,
      controlHosts: ['a.example', 'b.example'],
    },
    apply: join(world.folder, 'm'),
    watch: true,
  });
  await world.write('other.yaml', `${head}spec: { domain: other.example }\n`);
  await world.run(['serve', '--config', 'other.yaml'], { env: {} });
  expect(world.served.at(-1)).toMatchObject({
    settings: { domain: 'other.example', requireKey: false, memory: Math.floor(2 ** 34 * 0.6) },
    watch: false,
  });
  const help = (await world.run(['serve', '--help'])).stdout;
  for (const { flag, env } of SERVER_FIELDS) {
    expect(help).toContain(flag);
    expect(help).toContain(env);
  }
  for (const [flag, value] of [
    ['--listen', '127.0.0.1:8080'],
    ['--limits-body-bytes', '1Gi'],
    ['--workers', '0'],
    ['--memory', "60 % of the machine's"],
  ] as const) {
    expect(help.slice(help.indexOf(`  ${flag} `)).replaceAll(/\s+/g, ' ')).toMatch(
      new RegExp(`^[^(]*\\([A-Z_]+, default: ${value}\\)`),
    );
  }
  expect(help).not.toContain('default: )');
});

test('serve: what is wrong is told at once, and nothing is started', async () => {
  const started = world.served.length;
  await world.write(
    'bad.yaml',
    'apiVersion: rouse.dev/v1alpha1\nkind: Server\nspec: { listen: 1 }\n',
  );
  const args = ['serve', '--config', 'bad.yaml', '--memory', 'lots'];
  const run = await world.run(args, { env: { ROUSE_CONTROL: 'x' } });
  expect(run.status).toBe(2);
  for (const name of ['bad.yaml: spec.listen', 'ROUSE_CONTROL', '--memory']) {
    expect(run.stderr).toContain(name);
  }
  expect((await world.run(['serve', '--config', 'gone.yaml'])).stderr).toBe(
    'rouse: gone.yaml cannot be read: there is no such file\n',
  );
  await world.write('broken.yaml', 'a: [');
  expect((await world.run(['serve', '--config', 'broken.yaml'])).stderr).toMatch(/broken\.yaml:\d/);
  expect((await world.run(['serve', '--watch'])).status).toBe(2);
  expect(world.served.length).toBe(started);
});

test('the exit status is that of the server', async () => {
  const serve = async (): Promise<number> => 1;
  expect((await world.run(['serve'], { serve, env: {} })).status).toBe(1);
});

test("a data plane on the server's own machine is reached where the server is", () => {
  const local = 'http://127.0.0.1:8080/models/default/a/';
  expect(reachableFrom('http://127.0.0.1:8081', local)).toBe(local);
  expect(reachableFrom('http://gpu.example:8081', local)).toBe(
    'http://gpu.example:8080/models/default/a/',
  );
  expect(reachableFrom('http://gpu.example:8081', 'http://data.example/x')).toBe(
    'http://data.example/x',
  );
});
