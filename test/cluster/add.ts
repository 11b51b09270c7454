import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageCache, makeRouseImage } from '#knative/image/image.ts';
import { Fault } from '#lib/fault.ts';
import { enterArgs } from './box.ts';
import { buildPrograms } from './build.ts';
import { findBox, readPlan } from './enter.ts';
import { partsOf } from './folders.ts';
import { imageName } from './image-name.ts';
import { makeProgramImage } from './images.ts';
import { importImage, listImages } from './import-image.ts';
import { installHpa } from './knative.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { createBuilder, type Outfit } from './make-plan.ts';
import { type Plan, programOf } from './plan.ts';
import { MORE_IMAGES } from './programs.ts';

/** What a running cluster gets when a test asks for it; `up` stays quick for all others. */

const HELM = 'helm';
const HPA = 'autoscaler-hpa';
const ROUSE = 'rouse';
const ADDITIONS = [ROUSE, HELM, ...MORE_IMAGES];
const PROJECT = join(import.meta.dirname, '../..');

/** Throws a Fault for a name that nothing has. */
export function requireAdditions(names: readonly string[]): void {
  const unknown = names.filter((name) => !ADDITIONS.includes(name));
  if (unknown.length === 0) return;
  const message = `${unknown.join(', ')} cannot be added; these can: ${ADDITIONS.join(', ')}`;
  throw new Fault('invalid', message);
}

/** Builds what is named, and adds it to the cluster of this state: images, programs, deployments. */
export async function addToCluster(
  state: string,
  names: readonly string[],
  outfit: Outfit,
): Promise<void> {
  requireAdditions(names);
  const { say } = outfit;
  const built = await buildPrograms(createBuilder(outfit), names);
  const plan = await readPlan(state);
  const ctr = await commandOf(state, 'ctr');
  for (const name of names) {
    if (name === HELM) await keepPlan(state, { ...plan, programs: { ...plan.programs, ...built } });
    else if (name === ROUSE) await importRouse(ctr);
    else await importImage(ctr, await makeProgramImage(name, built[name] ?? ''));
    say(`${name}: added`);
  }
  if (names.includes(HPA)) {
    await installHpa(await createClusterKubectl(state), plan.modules);
    say(`${HPA}: available`);
  }
}

/** Our own image, of the sources as they are now; its large layers are seldom new. */
async function importRouse(ctr: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-image-'));
  try {
    const cache = imageCache(process.env);
    const options = { name: imageName(ROUSE), project: PROJECT, cache, folder };
    await importImage(ctr, await makeRouseImage(options));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** For the cluster of this state, from outside of its box. */
export async function createClusterKubectl(state: string): Promise<Kubectl> {
  return createKubectl(await commandOf(state, 'kubectl'));
}

/** The names of all images that the cluster of this state has. */
export async function findImages(state: string): Promise<ReadonlySet<string>> {
  return await listImages(await commandOf(state, 'ctr'));
}

/** What runs a program of the plan in the box. */
async function commandOf(state: string, program: string): Promise<string[]> {
  return [...enterArgs(await findBox(state), '/'), programOf(await readPlan(state), program)];
}

async function keepPlan(state: string, plan: Plan): Promise<void> {
  const { plan: path } = partsOf(state);
  await writeFile(`${path}.new`, JSON.stringify(plan));
  await rename(`${path}.new`, path);
}
