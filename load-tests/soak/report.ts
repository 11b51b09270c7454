import { formatHead, type ReportHead } from '../measure/report.ts';
import { formatTable } from '#lib/table.ts';
import type { State } from './state.ts';
import type { Count } from './tally.ts';

const MIB = 1024 * 1024;

export interface Soaked {
  readonly requests: number;
  readonly starts: number;
  readonly counts: Readonly<Record<string, Count>>;
  /** By status. */
  readonly refusals: Readonly<Record<string, number>>;
  /** What was done to the models meanwhile. */
  readonly churn: Readonly<Record<string, number>>;
  readonly start: State;
  readonly end: State;
  /** What is off. */
  readonly problems: readonly string[];
}

/** What the JSON file holds. */
export interface Report extends ReportHead<'soak'>, Soaked {
  readonly minutes: number;
}

export function formatReport(report: Report): string {
  const { minutes, requests, starts, churn, start, end, problems } = report;
  const done = Object.entries(churn).map(([what, count]) => `${count} ${what}`);
  return [
    formatHead(report),
    `${minutes} minutes, ${requests} requests, ${starts} instance starts, ${done.join(', ')}`,
    formatTable(
      ['requests', 'sent', 'answered', 'refused', 'aborted by the caller'],
      Object.entries(report.counts).map(([kind, count]) => rowOf(kind, count)),
    ),
    formatTable(
      ['at rest', 'heap MiB', 'resident MiB', 'files', 'in flight', 'queued', 'connections'],
      [stateRow('start', start), stateRow('end', end)],
    ),
    problems.length === 0 ? 'Nothing is off.' : `OFF:\n${problems.join('\n')}`,
  ].join('\n\n');
}

function rowOf(kind: string, { sent, answered, refused, aborted }: Count): string[] {
  return [kind, String(sent), String(answered), String(refused), String(aborted)];
}

function stateRow(when: string, state: State): string[] {
  const { heapBytes, rssBytes, files, inFlight, queued, connections } = state;
  const memory = [heapBytes, rssBytes].map((bytes) => (bytes / MIB).toFixed(1));
  return [when, ...memory, ...[files, inFlight, queued, connections].map(String)];
}
