import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

/** A shadow, live: woken by copies, compared, killed with SIGKILL, and no caller sees anything of it. */

let platform: Platform;
let folder: string;

afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

const MODEL = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: m }
spec:
  revisions:
    - { name: v1, runtime: function, source: ./v1.ts }
    - { name: v2, runtime: function, source: ./v2.ts }
  traffic: [{ revision: v1, percent: 100 }]
  shadow: { revision: v2, percent: 50, wake: true, tolerance: 0.01 }
`;

/** Its process can be told by what it answers. */
const makeSource = (value: number): string =>
  `export default () => Response.json({ value: ${value}, id: process.pid });\n`;

interface Said {
  readonly value: number;
  readonly id: number;
}

async function ask(headers: Record<string, string> = {}): Promise<Said> {
  const response = await fetch(`${platform.requests}/models/default/m/`, { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as Said;
}

async function count(outcome: string): Promise<number> {
  const text = await (await fetch(`${platform.control}/metrics`)).text();
  const row = new RegExp(
    `^rouse_shadow_requests_total\\{.*revision="v2",outcome="${outcome}"\\} (\\d+)$`,
    'm',
  );
  return Number(row.exec(text)?.[1] ?? 0);
}

/** Calls, each answered by v1, until there are more copies of this outcome than before. */
async function askUntil(outcome: string): Promise<void> {
  const before = await count(outcome);
  await until(`a copy is ${outcome}`, async () => {
    expect((await ask()).value).toBe(1);
    return (await count(outcome)) > before;
  });
}

test('a shadow is woken, compared, killed and back, and callers get answers of v1', async () => {
  folder = await makeFolder();
  await writeFile(join(folder, 'v1.ts'), makeSource(1));
  await writeFile(join(folder, 'v2.ts'), makeSource(1.001));
  await writeFile(join(folder, 'model.yaml'), MODEL);
  platform = await startPlatform(folder);
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('m', ({ status }) =>
    status.revisions.every(({ state }) => state === 'Ready'),
  );
  await askUntil('same');
  const { stdout } = await platform.rouse('get', 'model', 'm');
  expect(stdout).toContain('v1 100 % · v2 shadow of 50 %');

  const { id } = await ask({ 'Rouse-Revision': 'v2' });
  process.kill(id, 'SIGKILL');
  await askUntil('same');
  expect((await ask({ 'Rouse-Revision': 'v2' })).id).not.toBe(id);
  expect(await count('body')).toBe(0);
  // A start of the platform, and two of the shadow.
}, 180_000);
