import { ownModelName } from '#domain/job.ts';
import { instancesOf } from '../measure/instances.ts';
import { usageOf } from '../measure/process.ts';
import { ownProcesses } from './processes.ts';

/** Processor time, µs, by who took it. */
export type CpuMicros = Readonly<Record<string, number>>;

export const INSTANCES = 'instances';

/** What Rouse's own processes and the instances of this job have taken since they were started. */
export function cpuOf(rouse: number, job: string): CpuMicros {
  const instances = instancesOf(rouse).filter(({ model }) => model === ownModelName(job));
  const all = [...ownProcesses(rouse), ...instances.map(({ pid }) => ({ pid, name: INSTANCES }))];
  const spent: Record<string, number> = {};
  for (const { pid, name } of all) spent[name] = (spent[name] ?? 0) + usageOf(pid).cpuMicros;
  return spent;
}

/** Of each, from one moment to a later one, divided by `rows`. */
export function cpuOfRow(before: CpuMicros, after: CpuMicros, rows: number): CpuMicros {
  return Object.fromEntries(
    Object.entries(after).map(([name, micros]) => [name, (micros - (before[name] ?? 0)) / rows]),
  );
}
