import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { makeFolder, type Platform, removeFolder, startPlatform } from './platform.ts';

/** Learned keep-alive on the real platform: a model so large that its cold start is worth a second or so of it. */

const MODEL = `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: large }
spec:
  revision: { name: v1, runtime: function, source: ./large.ts, resources: { memory: 2000Gi } }
`;
const ARGS = ['--memory', '4000Gi', '--pool', '0'];

let platform: Platform;
let folder: string;

afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

async function start(): Promise<void> {
  platform = await startPlatform(folder, { args: ARGS });
}

async function deploy(): Promise<void> {
  folder = await makeFolder();
  await writeFile(join(folder, 'large.ts'), "export default () => new Response('here');\n");
  await writeFile(join(folder, 'model.yaml'), MODEL);
  await start();
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('large', ({ status }) => status.revisions[0]?.state === 'Ready');
}

/** One call, after which nobody comes until it is not kept ready any more. */
async function callAndForget(): Promise<void> {
  const response = await fetch(`${platform.requests}/models/default/large/`);
  expect(await response.text()).toBe('here');
  await platform.untilModel('large', ({ status }) => ['Asleep', 'Parked'].includes(status.state));
}

/** How many idle times are stored of it. */
function storedGaps(): unknown {
  const db = new DatabaseSync(join(folder, 'state', 'rouse.db'), { readOnly: true });
  const row = db.prepare('SELECT value FROM record WHERE key = ?');
  const { value } = row.get('keep-alive/revision/default/large/v1') ?? {};
  db.close();
  return typeof value === 'string' ? (JSON.parse(value) as { gaps: unknown }).gaps : undefined;
}

test('a model without a policy is kept by what its cold start is worth, and what is learned outlives the server', async () => {
  await deploy();
  for (let round = 0; round < 2; round++) await callAndForget();
  const { stdout } = await platform.rouse('why', 'large');
  expect(stdout).toMatch(/idle for .*keep-alive is adaptive: .*idle once before, last for/);
  expect(stdout).toMatch(/a cold start is worth .* of its memory/);
  expect(await platform.end('SIGTERM')).toBe(0);
  expect(storedGaps()).toBe(1);
  await start();
  await callAndForget();
  expect((await platform.rouse('why', 'large')).stdout).toContain('idle 2 times before');
  // What was learned since the last time that it was written is lost, and nothing else.
  await platform.end('SIGKILL');
  expect(storedGaps()).toBe(1);
  await start();
  await platform.untilModel('large', ({ status }) => status.state === 'Asleep');
  expect(platform.output()).not.toContain('keep-alive');
  // Three starts of the platform.
}, 180_000);
