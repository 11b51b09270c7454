import { dirname } from 'node:path';
import { buildPrograms, findModules } from './build.ts';
import { MANIFESTS } from './knative.ts';
import type { Plan } from './plan.ts';
import { KNATIVE_PROGRAMS, TEST_PROGRAMS } from './programs.ts';
import { type Machine, requireMachine, requireOutside } from './requirements.ts';

/** Of the machine: started outside of the plan's own programs. */
const SYSTEM_PROGRAMS = ['containerd', 'ctr', 'ip'];

/** Finds and builds what a cluster needs. Throws a Fault that names what the machine lacks. */
export async function makePlan(options: {
  readonly machine: Machine;
  readonly cache: string;
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}): Promise<Plan> {
  const { machine, cache, say, signal } = options;
  requireMachine(machine);
  requireOutside([import.meta.dirname, dirname(process.execPath), cache]);
  const go = machine.find('go') ?? 'go';
  const built = await buildPrograms({ go, cache, signal, say });
  const found = SYSTEM_PROGRAMS.map((name) => [name, machine.find(name) ?? name] as const);
  const names = [...KNATIVE_PROGRAMS, ...TEST_PROGRAMS];
  return {
    programs: { ...built, ...Object.fromEntries(found) },
    images: {
      pause: built['first'] ?? '',
      ...Object.fromEntries(names.map((name) => [name, built[name] ?? ''])),
    },
    modules: await findModules({ go, signal }, Object.keys(MANIFESTS)),
  };
}
