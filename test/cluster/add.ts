import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imageCache, makeRouseImages } from '#knative/image/image.ts';
import { Fault } from '#lib/fault.ts';
import { enterArgs } from './box.ts';
import { buildPrograms } from './build.ts';
import { findBox, readPlan } from './enter.ts';
import { partsOf } from './folders.ts';
import { imageName } from './image-name.ts';
import { makeProgramImage } from './images.ts';
import { importImages, listImages } from './import-image.ts';
import { installHpa } from './knative.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { createBuilder, type Outfit } from './make-plan.ts';
import { type Plan, programOf } from './plan.ts';
import { placeActivator } from './place-activator.ts';
import { placeIngress } from './place-ingress.ts';
import { MORE_IMAGES } from './programs.ts';

/** What a running cluster gets when a test asks for it; `up` stays quick for all others. */

interface Site {
  readonly state: string;
  readonly plan: Plan;
  /** The program of this name, when it is one that is built. */
  readonly program: string;
  /** The command of containerd's client. */
  readonly ctr: readonly string[];
  readonly kubectl: Kubectl;
}

const PROJECT = join(import.meta.dirname, '../..');

const ADDITIONS: Readonly<Record<string, (site: Site) => Promise<void>>> = {
  rouse: importRouse,
  helm: async ({ state, plan, program }) =>
    await keepPlan(state, { ...plan, programs: { ...plan.programs, helm: program } }),
  'rouse-activator': async (site) => {
    await importRouse(site);
    await placeActivator(site.kubectl, 'rouse');
  },
  'rouse-ingress': async (site) => {
    await importRouse(site);
    await placeIngress(site.kubectl);
  },
  'stock-activator': async ({ kubectl }) => await placeActivator(kubectl, 'stock'),
  ...Object.fromEntries(MORE_IMAGES.map((name) => [name, (site) => importProgram(name, site)])),
  'autoscaler-hpa': async (site) => {
    await importProgram('autoscaler-hpa', site);
    await installHpa(site.kubectl, site.plan.modules);
  },
};

/** Throws a Fault for a name that nothing has. */
export function requireAdditions(names: readonly string[]): void {
  const unknown = names.filter((name) => !(name in ADDITIONS));
  if (unknown.length > 0) throw refusalOf(`${unknown.join(', ')} cannot be added`);
}

/** Throws a Fault when nothing is named. */
export function requireNamed(names: readonly string[]): void {
  if (names.length === 0) throw refusalOf('add needs a name');
}

function refusalOf(what: string): Fault {
  return new Fault('invalid', `${what}; these can be added: ${Object.keys(ADDITIONS).join(', ')}`);
}

/** Builds what is named, and adds it to the cluster of this state: images, programs, deployments. */
export async function addToCluster(
  state: string,
  names: readonly string[],
  outfit: Outfit,
): Promise<void> {
  requireAdditions(names);
  const built = await buildPrograms(await createBuilder(outfit), names);
  const ctr = await commandOf(state, 'ctr');
  const kubectl = await createClusterKubectl(state);
  for (const name of names) {
    const plan = await readPlan(state);
    await ADDITIONS[name]?.({ state, plan, program: built[name] ?? '', ctr, kubectl });
    outfit.say(`${name}: added`);
  }
}

async function importProgram(name: string, { ctr, program }: Site): Promise<void> {
  await importImages(ctr, [await makeProgramImage(name, program)]);
}

/** Our own images, of the sources as they are now; their large layers are seldom new. */
async function importRouse({ ctr }: Site): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-image-'));
  try {
    const cache = imageCache(process.env);
    const options = { name: imageName('rouse'), project: PROJECT, cache, folder };
    await importImages(ctr, await makeRouseImages(options));
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
