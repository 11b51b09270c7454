import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { HOST } from '../peers/peers.ts';

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

/** The same five as in the table of goals. */
export const ROWS: readonly Load[] = [
  { name: 'get-32', method: 'GET', path: '/', bodyBytes: 0, connections: 32 },
  { name: 'post-1k-32', method: 'POST', path: '/', bodyBytes: 1024, connections: 32 },
  { name: 'get-128', method: 'GET', path: '/', bodyBytes: 0, connections: 128 },
  { name: 'post-100k-32', method: 'POST', path: '/', bodyBytes: 102_400, connections: 32 },
  { name: 'stream-50-32', method: 'GET', path: '/stream', bodyBytes: 0, connections: 32 },
];

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
  port: number,
  load: Load,
  seconds: number,
): Promise<Summary> {
  const { stdout } = await run(wrk, [
    '-t1',
    `-c${load.connections}`,
    `-d${seconds}s`,
    '--timeout=10s',
    `-HHost: ${HOST}`,
    `-s${SCRIPT}`,
    `http://127.0.0.1:${port}${load.path}`,
    '--',
    load.method,
    String(load.bodyBytes),
  ]);
  const line = stdout.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) throw new Error(`wrk said nothing of its run:\n${stdout}`);
  const summary: Summary = JSON.parse(line);
  return summary;
}
