import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Browser, startBrowser } from './browser.ts';
import { numberedArgs } from './numbered.ts';
import { ENV, makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

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
  const args = numberedArgs(join(folder, 'log'), 'v1', gate);
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: slow }
spec:
  revision: { name: v1, runtime: command, args: ${args} }
  scaling: { max: 1, initial: 0 }
`,
  );
  platform = await startPlatform(folder, { env: ENV });
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
