import { dirname } from 'node:path';
import { ensureGo } from '#test/go-toolchain.ts';
import { type Builder, buildPrograms, findModules } from './build.ts';
import { MANIFESTS } from './knative.ts';
import type { Plan } from './plan.ts';
import { CLUSTER_PROGRAMS, KNATIVE_PROGRAMS, TEST_PROGRAMS } from './programs.ts';
import { type Machine, requireMachine, requireOutside } from './requirements.ts';

/** Of the machine: started outside of the plan's own programs. */
const SYSTEM_PROGRAMS = ['containerd', 'ctr', 'ip'];

export interface Outfit {
  readonly machine: Machine;
  readonly cache: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** What builds programs. Throws a Fault that names what the machine lacks. */
export async function createBuilder({ machine, cache, say, signal }: Outfit): Promise<Builder> {
  requireMachine(machine);
  requireOutside([import.meta.dirname, dirname(process.execPath), cache]);
  return { go: await ensureGo(process.env, signal), cache, signal, say };
}

/** Finds and builds what a cluster needs. Throws a Fault that names what the machine lacks. */
export async function makePlan(outfit: Outfit): Promise<Plan> {
  const { machine } = outfit;
  const builder = await createBuilder(outfit);
  const built = await buildPrograms(builder, CLUSTER_PROGRAMS);
  const found = SYSTEM_PROGRAMS.map((name) => [name, machine.find(name) ?? name] as const);
  const names = [...KNATIVE_PROGRAMS, ...TEST_PROGRAMS];
  return {
    programs: { ...built, ...Object.fromEntries(found) },
    images: {
      pause: built['first'] ?? '',
      ...Object.fromEntries(names.map((name) => [name, built[name] ?? ''])),
    },
    modules: await findModules(builder, Object.keys(MANIFESTS)),
  };
}
