import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Client, createClient } from '#cli/client.ts';
import { type FolderWatch, watchFolder } from '#cli/watch.ts';
import { systemClock } from '#lib/clock.ts';
import { ADMIN } from '#test/api/server.ts';
import { createWorld, fileOf, type World } from './world.ts';

let world: World;
let client: Client;
let watch: FolderWatch;
let told: string[] = [];
let changed = Promise.withResolvers<void>();

/** Resolves when a line was told that fits. */
async function hear(pattern: RegExp): Promise<string> {
  for (;;) {
    const found = told.find((line) => pattern.test(line));
    if (found !== undefined) return found;
    await changed.promise;
  }
}

const listener = {
  write(text: string | Uint8Array) {
    told.push(String(text));
    changed.resolve();
    changed = Promise.withResolvers();
  },
};

beforeEach(async () => {
  told = [];
  world = await createWorld();
  client = createClient({ server: world.server.url, fetch, clock: systemClock });
  await world.write('m/alpha.yaml', fileOf('alpha'));
  await world.write('m/beta.yaml', source('beta', './weights.bin'));
  await world.write('m/weights.bin', 'first');
  await world.write('outside.bin', 'outside');
  await world.write('m/gamma.yaml', source('gamma', '../outside.bin'));
  const io = {
    cwd: world.folder,
    clock: systemClock,
    stdout: listener,
    stderr: listener,
    signal: new AbortController().signal,
  };
  expect(await world.run(['apply', '-f', 'm'])).toMatchObject({ status: 0 });
  watch = await watchFolder(client, 'm', io);
});
afterEach(async () => {
  await watch.close();
  await world.close();
});

function source(name: string, path: string): string {
  return fileOf(name).replace(/revision: .*/, `revision: { runtime: onnx, source: ${path} }`);
}

async function revisionsOf(name: string): Promise<number> {
  return (await world.server.useCases.getModel(ADMIN, 'default', name)).revisions.length;
}

test('an edit of a file changes its model and no other', async () => {
  await world.write('m/alpha.yaml', fileOf('alpha', '  scaling: { max: 2 }'));
  await hear(/^alpha {2}changed/);
  const { value } = await world.server.useCases.getModel(ADMIN, 'default', 'alpha');
  expect(value.document.spec.scaling).toEqual({ max: 2 });
  expect(told).toHaveLength(1);
});

test('a new file makes a model', async () => {
  await world.write('m/delta.yaml', fileOf('delta'));
  expect(await hear(/^delta/)).toBe('delta  created    v1  Ready\n');
});

test('a source that changes is an edit, inside of the folder and outside', async () => {
  await world.write('m/weights.bin', 'second');
  await hear(/^beta {2}changed/);
  expect(await revisionsOf('beta')).toBe(2);
  await world.write('outside.bin', 'changed');
  await hear(/^gamma {2}changed/);
  expect(await revisionsOf('gamma')).toBe(2);
});

test('an invalid edit is told and changes nothing, and the next one counts', async () => {
  await world.write('m/alpha.yaml', fileOf('alpha', '  scaling: { max: none }'));
  await hear(/alpha\.yaml:6: spec\.scaling\.max: found "none"/);
  await world.write('m/delta.yaml', fileOf('delta'));
  await hear(/^delta {2}created/);
  const before = await world.server.useCases.getModel(ADMIN, 'default', 'alpha');
  expect(before.value.generation).toBe(1);
  await world.write('m/alpha.yaml', fileOf('alpha', '  scaling: { max: 3 }'));
  await hear(/^alpha {2}changed/);
});

test('a file that goes away leaves its model, and that is said', async () => {
  await rm(join(world.folder, 'm/alpha.yaml'));
  await hear(
    /the file of default\/alpha is gone\. The model stays; to remove it: npx rouse delete alpha --server http/,
  );
  expect(await revisionsOf('alpha')).toBe(1);
});

test('what the server refuses is told and tried again with the next edit', async () => {
  await world.write('m/alpha.yaml', fileOf('alpha').replace('serve,', 'other,'));
  await hear(/m\/alpha\.yaml: /);
  await world.write('m/alpha.yaml', fileOf('alpha').replace('name: v1', 'name: v2'));
  await hear(/^alpha {2}changed {4}v2/);
});
