import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { kubectl, untilRolledOut } from './inside/kubectl.ts';

/**
 * Run in the box: Knative's activator becomes ours and is its own again, as a user would do it, and as an upgrade of
 * Knative does it; prints as JSON what was seen. `argv[2]`: the image.
 */

const [, , image = ''] = process.argv;
const PART = resolve(import.meta.dirname, '../../../knative/install/activator');
const ACTIVATOR = ['deployment/activator', '--namespace', 'knative-serving'];

async function specOf(): Promise<{
  template: { spec: { containers: Record<string, unknown>[] } };
}> {
  return JSON.parse(await kubectl('get', ...ACTIVATOR, '--output', 'jsonpath={.spec}'));
}

/** By a folder of the user's own. */
async function place(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-activator-'));
  try {
    const [newName = '', newTag = ''] = image.split(':');
    const kustomization = {
      resources: [relative(folder, PART)],
      images: [{ name: 'rouse-activator', newName, newTag }],
    };
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    await kubectl('apply', '--server-side', '--force-conflicts', '-k', folder);
  } finally {
    await rm(folder, { recursive: true });
  }
  await untilRolledOut(...ACTIVATOR);
}

const before = await specOf();
const [original = {}] = before.template.spec.containers;
const isAsBefore = async (): Promise<boolean> =>
  JSON.stringify(await specOf()) === JSON.stringify(before);

await place();
const during = await specOf();
const pods = ['--tail=-1', '--selector', 'app=activator', '--namespace', 'knative-serving'];
const log = await kubectl('logs', ...pods);
// Of our fields, Knative's manifests say the image.
await kubectl('set', 'image', ...ACTIVATOR, `activator=${String(original['image'])}`);
await untilRolledOut(...ACTIVATOR);
const upgraded = await isAsBefore();
await place();
await kubectl('rollout', 'undo', ...ACTIVATOR);
await untilRolledOut(...ACTIVATOR);
const [container = {}] = during.template.spec.containers;
const changed = Object.keys({ ...container, ...original }).filter(
  (field) => JSON.stringify(container[field]) !== JSON.stringify(original[field]),
);
process.stdout.write(
  JSON.stringify({
    changed,
    runs: log.includes('takes requests'),
    upgraded,
    undone: await isAsBefore(),
  }),
);
