import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { controlCluster } from './cluster.ts';

/** Called by Vitest before all tests: makes a place for the cluster that they share. What it gives is called at the end. */
export function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-cluster-'));
  project.provide('sharedState', folder);
  return async () => {
    const cluster = controlCluster(folder);
    // Nobody took it: perhaps this machine cannot have one.
    if (existsSync(cluster.state)) await cluster.must('down');
    rmSync(folder, { recursive: true });
  };
}
