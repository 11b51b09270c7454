import { readVersion } from '#lib/version.ts';
import { formatMachine, type Machine } from './machine.ts';

/** What the report of a benchmark that takes times begins with. */
export interface ReportHead<Benchmark extends string = string> {
  readonly benchmark: Benchmark;
  /** ISO 8601. */
  readonly at: string;
  /** Of all that took part, Rouse first. */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
}

/** `machine`: before anything was started. `versions`: of what took part besides Rouse. */
export function describeRun<Benchmark extends string>(
  benchmark: Benchmark,
  machine: Machine,
  versions: ReportHead['versions'],
): ReportHead<Benchmark> {
  return {
    benchmark,
    at: new Date().toISOString(),
    versions: { rouse: readVersion(), ...versions },
    machine,
  };
}

export function formatHead({ versions, machine }: ReportHead): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${names.join(', ')}; ${formatMachine(machine)}`;
}
