import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Browser, startBrowser } from './browser.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

const PROGRAM = resolve(import.meta.dirname, 'programs/numbered.mjs');

let platform: Platform | undefined;
let browser: Browser | undefined;

afterEach(async () => {
  await browser?.close();
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

/** A model that sleeps, and that can start only once the gate file is there. */
async function startSleeping(): Promise<{ url: string; gate: string }> {
  const folder = await makeFolder();
  const gate = join(folder, 'gate');
  const args = ['node', PROGRAM, '${PORT}', 'v1', join(folder, 'log'), gate];
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: slow }
spec:
  revision: { name: v1, runtime: command, args: ${JSON.stringify(args)} }
  scaling: { max: 1, initial: 0 }
`,
  );
  platform = await startPlatform(folder, {
    env: { PATH: `${join(process.execPath, '..')}:${process.env.PATH}` },
  });
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  return { url: `${platform.requests}/models/default/slow/`, gate };
}

test.each([true, false])(
  'a browser sees that the model wakes, then the model (needs chromium); scripts: %s',
  async (scripts) => {
    const { url, gate } = await startSleeping();
    browser = await startBrowser();
    const page = await browser.open(url, { scripts });
    await page.until(/^slow is waking up/);
    await writeFile(gate, '');
    await page.until(/^ready/);
    expect(page.complaints).toEqual([]);
  },
);
