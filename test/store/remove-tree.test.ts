import { execFileSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeTree } from '#store/remove-tree.ts';
import { useTeardown } from '#test/teardown.ts';
import { stateFolder } from './state-folder.ts';

const teardown = useTeardown();

async function setUp(): Promise<{ folder: string; root: string }> {
  const { folder, remove } = await stateFolder();
  teardown(remove);
  return { folder, root: join(folder, 'left') };
}

/** In a process of its own, which can go down step by step. */
function run(root: string, program: string): void {
  const script = `const fs = require('node:fs'); fs.mkdirSync(${JSON.stringify(root)});
    process.chdir(${JSON.stringify(root)}); ${program}`;
  execFileSync(process.execPath, ['-e', script]);
}

test('folders that are deeper than a path can say are removed, and nothing beside them', async () => {
  const { folder, root } = await setUp();
  run(
    root,
    `for (let i = 0; i < 1000; i++) {
       const name = 'd'.repeat(1 + (i % 40));
       fs.writeFileSync('file', ''); fs.mkdirSync(name); fs.mkdirSync('beside'); process.chdir(name);
     }`,
  );
  await removeTree(root);
  expect(await readdir(folder)).toEqual([]);
});

test('folders with names that are no text, and those that nobody may write to, are removed', async () => {
  const { folder, root } = await setUp();
  run(
    root,
    `fs.mkdirSync(Buffer.from([0xff, 0xfe]));
     fs.mkdirSync('closed/in', { recursive: true }); fs.chmodSync('closed', 0o000);`,
  );
  await removeTree(root);
  expect(await readdir(folder)).toEqual([]);
});

test('what a link leads to stays', async () => {
  const { folder, root } = await setUp();
  run(root, `fs.mkdirSync('../kept'); fs.symlinkSync('../kept', 'link');`);
  await removeTree(root);
  expect(await readdir(folder)).toEqual(['kept']);
});

test('where there is nothing, nothing is done', async () => {
  const { folder, root } = await setUp();
  await removeTree(root);
  expect(await readdir(folder)).toEqual([]);
});
