import { join } from 'node:path';
import type { DrivenCluster } from '../cluster.ts';

/** Runs a program of the tests in the box of a cluster, and gives what it printed as JSON. */
export async function runInside(
  cluster: DrivenCluster,
  program: string,
  ...args: string[]
): Promise<unknown> {
  const path = join(import.meta.dirname, '..', program);
  return JSON.parse(await cluster.must('exec', process.execPath, path, ...args));
}
