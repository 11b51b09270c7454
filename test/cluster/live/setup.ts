import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { cacheFolder } from '../folders.ts';
import { makePlan } from '../make-plan.ts';
import { thisMachine } from '../requirements.ts';
import { controlCluster, MISSING } from './cluster.ts';

/**
 * Called by Vitest before all tests: builds what every cluster needs, which no test has the time for, and makes a place
 * for the cluster that they share. What it gives is called at the end.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (MISSING.length === 0) await build();
  const folder = mkdtempSync(join(tmpdir(), 'rouse-cluster-'));
  project.provide('sharedState', folder);
  return async () => {
    const cluster = controlCluster(folder);
    // Nobody took it: perhaps this machine cannot have one.
    if (existsSync(cluster.state)) await cluster.must('down');
    rmSync(folder, { recursive: true });
  };
}

/** Minutes the first time. */
async function build(): Promise<void> {
  await makePlan({
    machine: thisMachine(process.env),
    cache: cacheFolder(process.env),
    say: (text) => process.stderr.write(`${text}\n`),
    signal: new AbortController().signal,
  });
}
