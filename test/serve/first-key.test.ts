import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';

let folder: string;
let platform: Platform;

beforeEach(async () => {
  folder = await makeFolder();
  vi.stubEnv('ROUSE_KEY_FILE', file());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await platform.end();
  await removeFolder(folder);
});

/** On all addresses, where control starts only with a key. */
async function start(): Promise<Platform> {
  const args = ['--control', '0.0.0.0:0', '--first-key', file()];
  platform = await startPlatform(folder, { args });
  return platform;
}

const file = (): string => join(folder, 'first-key');
const read = async (): Promise<string> => await readFile(file(), 'utf8');

test('the first start leaves a key that opens control, for its owner only; the next ones leave it', async () => {
  await start();
  const secret = await read();
  expect(secret).toMatch(/^rk_\w+_\S{43}\n$/);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  expect((await fetch(`${platform.control}/api/v1/keys`)).status).toBe(401);
  expect(await platform.rouse('key', 'list')).toMatchObject({ status: 0 });
  await platform.end();
  await start();
  expect(await read()).toBe(secret);
  expect(await platform.rouse('key', 'list')).toMatchObject({ status: 0 });
});

test('without its file there is another one; without keys the file gets another one', async () => {
  await start();
  const secret = await read();
  await platform.end();
  await rm(file());
  await start();
  expect(await read()).not.toBe(secret);
  await platform.end();
  await rm(join(folder, 'state'), { recursive: true });
  await writeFile(file(), secret);
  await start();
  expect(await read()).not.toBe(secret);
  expect(await platform.rouse('key', 'list')).toMatchObject({ status: 0 });
});
