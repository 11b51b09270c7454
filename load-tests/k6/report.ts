import { formatHead, type ReportHead } from '#load-tests/measure/report.ts';
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
export interface Report extends ReportHead<'k6'> {
  readonly ran: readonly Ran[];
}

export function formatReport(report: Report): string {
  const table = formatTable(
    ['use', 'thresholds', 'requests', 'requests/s', 'p50 ms', 'p95 ms'],
    report.ran.map(({ script, passed, requests, perSecond, p50Ms, p95Ms }) => [
      script,
      passed ? 'met' : 'MISSED',
      String(requests),
      perSecond.toFixed(0),
      p50Ms.toFixed(2),
      p95Ms.toFixed(2),
    ]),
  );
  return `${formatHead(report)}\n\n${table}`;
}
