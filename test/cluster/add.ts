import { rename, writeFile } from 'node:fs/promises';
import { Fault } from '#lib/fault.ts';
import { enterArgs } from './box.ts';
import { buildPrograms } from './build.ts';
import { findBox, readPlan } from './enter.ts';
import { partsOf } from './folders.ts';
import { importImage } from './import-image.ts';
import { installHpa } from './knative.ts';
import { createKubectl } from './kubectl.ts';
import { createBuilder, type Outfit } from './make-plan.ts';
import { type Plan, programOf } from './plan.ts';
import { MORE_IMAGES } from './programs.ts';

/** What a running cluster gets when a test asks for it; `up` stays quick for all others. */

const HELM = 'helm';
const HPA = 'autoscaler-hpa';
const ADDITIONS = [HELM, ...MORE_IMAGES];

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
  const enter = enterArgs(await findBox(state), '/');
  for (const name of names) {
    if (name === HELM) await keepPlan(state, { ...plan, programs: { ...plan.programs, ...built } });
    else await importImage([...enter, programOf(plan, 'ctr')], name, built[name] ?? '');
    say(`${name}: added`);
  }
  if (names.includes(HPA)) {
    await installHpa(createKubectl([...enter, programOf(plan, 'kubectl')]), plan.modules);
    say(`${HPA}: available`);
  }
}

async function keepPlan(state: string, plan: Plan): Promise<void> {
  const { plan: path } = partsOf(state);
  await writeFile(`${path}.new`, JSON.stringify(plan));
  await rename(`${path}.new`, path);
}
