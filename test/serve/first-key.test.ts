import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KeyRecord } from '#domain/records.ts';
import { makeFirstKey } from '#serve/first-key.ts';
import { makeFolder, removeFolder, startPlatform } from '#test/e2e/platform.ts';

let folder: string;
let made: number;

beforeEach(async () => {
  folder = await makeFolder();
  made = 0;
});
afterEach(async () => {
  await removeFolder(folder);
});

const file = (): string => join(folder, 'first-key');
const read = async (): Promise<string> => await readFile(file(), 'utf8');

const useCases = {
  createKey: async () => ({ key: {} as KeyRecord, secret: `secret-${++made}` }),
};

test('the first start leaves a key for its owner only; the next one leaves it', async () => {
  await makeFirstKey(file(), { isKeyed: false, useCases });
  expect(await read()).toBe('secret-1\n');
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  await makeFirstKey(file(), { isKeyed: true, useCases });
  expect(made).toBe(1);
});

test('without its file there is another one; without keys the file gets another one', async () => {
  await makeFirstKey(file(), { isKeyed: true, useCases });
  expect(await read()).toBe('secret-1\n');
  await writeFile(file(), 'of another life\n');
  await makeFirstKey(file(), { isKeyed: false, useCases });
  expect(await read()).toBe('secret-2\n');
});

test('where it cannot be written, none is made', async () => {
  const nowhere = join(folder, 'none', 'first-key');
  await expect(makeFirstKey(nowhere, { isKeyed: false, useCases })).rejects.toThrow(
    'the first key cannot be written',
  );
  expect({ made, there: existsSync(nowhere) }).toEqual({ made: 0, there: false });
});

test('where others reach control, it starts with such a key, which opens it', async () => {
  const platform = await startPlatform(folder, {
    args: ['--control', '0.0.0.0:0', '--first-key', file()],
  });
  try {
    const keys = `${platform.control}/api/v1/keys`;
    expect((await fetch(keys)).status).toBe(401);
    const headers = { authorization: `Bearer ${(await read()).trim()}` };
    expect((await fetch(keys, { headers })).status).toBe(200);
  } finally {
    await platform.end();
  }
});
