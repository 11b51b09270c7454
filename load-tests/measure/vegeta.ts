import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const NANOS = 1e6;

/** What became of an attack. */
export interface VegetaReport {
  readonly requests: number;
  /** Not answered with 200. */
  readonly failed: number;
  readonly errors: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

interface Raw {
  readonly requests: number;
  readonly latencies: Readonly<Record<'50th' | '99th' | 'max', number>>;
  readonly status_codes: Readonly<Record<string, number>>;
  readonly errors: readonly string[];
}

/** `results`: the file that an attack wrote. */
export async function readVegeta(vegeta: string, results: string): Promise<VegetaReport> {
  const { stdout } = await promisify(execFile)(vegeta, ['report', '-type=json', results]);
  const { requests, latencies, status_codes: codes, errors }: Raw = JSON.parse(stdout);
  return {
    requests,
    failed: requests - (codes['200'] ?? 0),
    errors,
    p50Ms: latencies['50th'] / NANOS,
    p99Ms: latencies['99th'] / NANOS,
    maxMs: latencies.max / NANOS,
  };
}
