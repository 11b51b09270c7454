import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followFiles } from '#activator/entry/follow-files.ts';
import { createFakeClock } from '#test/fake-clock.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rouse-follow-'));
  file = join(folder, 'followed');
  await writeFile(file, 'one');
});

afterEach(() => rm(folder, { recursive: true }));

test('a change is told once, however often the folder changes, and not what else happens there', async () => {
  const clock = createFakeClock();
  let told = 0;
  const following = followFiles([file], clock, () => {
    told += 1;
  });
  const untilNoticed = () => expect.poll(() => clock.pending).toBe(1);

  // As a log does that somebody keeps beside the certificates.
  await writeFile(join(folder, 'log'), 'a line');
  await untilNoticed();
  clock.advance(500);
  expect(told).toBe(0);

  await writeFile(file, 'two');
  await untilNoticed();
  clock.advance(250);
  await writeFile(join(folder, 'log'), 'another line');
  clock.advance(250);
  expect(told).toBe(1);

  await rm(file);
  await untilNoticed();
  clock.advance(500);
  expect(told).toBe(2);
  following.close();
});
