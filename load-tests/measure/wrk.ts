import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = join(import.meta.dirname, 'wrk.lua');
const run = promisify(execFile);

/** What a row asks for. */
export interface Load {
  readonly name: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly bodyBytes: number;
  readonly connections: number;
}

/** As wrk.lua prints it. */
export interface Summary {
  readonly micros: number;
  readonly requests: number;
  readonly bytes: number;
  readonly failed: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** One thread of wrk; every connection sends its next request when the last was answered. */
export async function runWrk(
  wrk: string,
  /** `origin`: such as `http://127.0.0.1:8080`. */
  to: { readonly origin: string; readonly headers: Readonly<Record<string, string>> },
  load: Load,
  seconds: number,
): Promise<Summary> {
  const { stdout } = await run(wrk, [
    '-t1',
    `-c${load.connections}`,
    `-d${seconds}s`,
    '--timeout=10s',
    ...Object.entries(to.headers).map(([name, value]) => `-H${name}: ${value}`),
    `-s${SCRIPT}`,
    `${to.origin}${load.path}`,
    '--',
    load.method,
    String(load.bodyBytes),
  ]);
  const line = stdout.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said nothing of its run:\n${stdout}`);
  const summary: Summary = JSON.parse(line);
  return summary;
}
