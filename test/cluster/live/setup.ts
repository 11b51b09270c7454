import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildPrograms } from '../build.ts';
import { cacheFolder } from '../folders.ts';
import { createBuilder, makePlan } from '../make-plan.ts';
import { thisMachine } from '../requirements.ts';
import { SUITES } from '../suites/suites.ts';
import { controlCluster, MISSING, sayMissing } from './cluster.ts';

/** What tests add to the cluster, besides our own images. */
const ADDED = [
  'autoscale',
  'grpc-ping',
  'wsserver',
  'conformance-ingress',
  ...(SUITES['conformance-ingress']?.images ?? []),
];

/**
 * Called by Vitest before all tests: builds what they need, which no test has the time for, and makes a place
 * for the cluster that they share. What it gives is called at the end.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (MISSING.length === 0) await build();
  else sayMissing();
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
  const outfit = {
    machine: thisMachine(process.env),
    cache: cacheFolder(process.env),
    say: (text: string) => process.stderr.write(`${text}\n`),
    signal: new AbortController().signal,
  };
  await makePlan(outfit);
  await buildPrograms(await createBuilder(outfit), ADDED);
}
