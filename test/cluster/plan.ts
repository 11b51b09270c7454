import { Fault } from '#lib/fault.ts';

/** What was found and built on the machine for one cluster. It lies in the cluster's state for as long as that runs. */
export interface Plan {
  /** Paths of programs by name: the components, and what the box calls. */
  readonly programs: Readonly<Record<string, string>>;
  /** The programs that become images; each image has the name of its program, or the one it is given here. */
  readonly images: Readonly<Record<string, string>>;
  /** Folders of the Go modules that carry manifests. */
  readonly modules: Readonly<Record<string, string>>;
}

export function programOf(plan: Plan, name: string): string {
  const path = plan.programs[name];
  if (path === undefined) throw new Fault('internal', `the plan has no program ${name}`);
  return path;
}
