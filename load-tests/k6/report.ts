import { formatMachine, type Machine } from '#load-tests/measure/machine.ts';
import { formatTable } from '#lib/table.ts';

/** One script. */
export interface Ran {
  readonly script: string;
  /** All of its thresholds were met. */
  readonly passed: boolean;
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

/** What the JSON file holds. */
export interface Report {
  readonly benchmark: 'k6';
  readonly at: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly ran: readonly Ran[];
}

export function formatReport({ versions, machine, ran }: Report): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const table = formatTable(
    ['use', 'thresholds', 'requests', 'requests/s', 'p50 ms', 'p95 ms'],
    ran.map(({ script, passed, requests, perSecond, p50Ms, p95Ms }) => [
      script,
      passed ? 'met' : 'MISSED',
      String(requests),
      perSecond.toFixed(0),
      p50Ms.toFixed(2),
      p95Ms.toFixed(2),
    ]),
  );
  return `${names.join(', ')}; ${formatMachine(machine)}\n\n${table}`;
}
