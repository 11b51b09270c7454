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

const run = promisify(execFile);

/** So many requests a second at their own times, to the `targets` that a file names. `results`: what it writes. */
export async function attack(
  vegeta: string,
  files: { readonly targets: string; readonly results: string },
  rate: number,
  seconds: number,
): Promise<VegetaReport> {
  await run(vegeta, [
    'attack',
    `-rate=${rate}`,
    `-duration=${seconds}s`,
    `-targets=${files.targets}`,
    `-output=${files.results}`,
  ]);
  return await readResults(vegeta, files.results);
}

async function readResults(vegeta: string, results: string): Promise<VegetaReport> {
  const { stdout } = await run(vegeta, ['report', '-type=json', results]);
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
