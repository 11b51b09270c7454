import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import {
  makeFolder,
  type Platform,
  processesFor,
  removeFolder,
  startPlatform,
} from './platform.ts';

/** A/B by a header, sticky callers and a shadow, while control is killed and after it: no request fails or goes elsewhere. */

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
    - { name: v3, runtime: function, source: ./v3.ts }
  traffic:
    - { revision: v1, percent: 50 }
    - { revision: v2, percent: 50 }
    - { revision: v2, match: { header: X-Group, values: [beta] } }
  sticky: { header: X-User }
  shadow: { revision: v3, percent: 100, wake: true }
  keepAlive: { policy: fixed, idle: 10m }
`;
const USERS = Array.from({ length: 20 }, (_, user) => `user-${user}`);

async function ask(headers: Record<string, string>): Promise<string> {
  const response = await fetch(`${platform.requests}/models/default/m/`, { headers });
  return `${response.status} ${await response.text()}`;
}

/** Which revision each of the callers meets. */
async function meet(): Promise<readonly string[]> {
  expect(await ask({ 'X-Group': 'beta', 'X-User': 'user-0' })).toBe('200 v2');
  return await Promise.all(USERS.map((user) => ask({ 'X-User': user })));
}

test('kill -9 of control in the midst, and of all: callers meet whom they met', async () => {
  folder = await makeFolder();
  for (const name of ['v1', 'v2', 'v3']) {
    await writeFile(join(folder, `${name}.ts`), `export default () => new Response('${name}');\n`);
  }
  await writeFile(join(folder, 'model.yaml'), MODEL);
  platform = await startPlatform(folder, { args: ['--workers', '2'] });
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('m', ({ status }) =>
    status.revisions.every(({ state }) => state === 'Ready'),
  );
  const met = await meet();
  expect(new Set(met)).toEqual(new Set(['200 v1', '200 v2']));

  const [control = 0] = await processesFor('control', folder);
  process.kill(control, 'SIGKILL');
  let next: number | undefined;
  await until('control is back', async () => {
    expect(await meet()).toEqual(met);
    [next] = await processesFor('control', folder);
    return next !== undefined && next !== control;
  });
  await until('it answers', async () => {
    expect(await meet()).toEqual(met);
    return (await platform.model('m').catch(() => undefined))?.status.state === 'Awake';
  });
  expect(await meet()).toEqual(met);

  await platform.end('SIGKILL');
  platform = await startPlatform(folder, { args: ['--workers', '2'] });
  expect(await meet()).toEqual(met);
  // Two starts of the platform with its workers, and of five instances.
}, 180_000);
