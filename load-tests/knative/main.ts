import { join } from 'node:path';
import { runInside } from '#test/cluster/enter.ts';
import { createTestCluster } from '#test/cluster/live/cluster.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { ensureTool, versionOf } from '../peers/tools.ts';
import type { Extent } from './options.ts';
import { formatReport, type Measured, type Report } from './report.ts';

/** Rouse's activator beside Knative's on a real cluster: see load-tests/README.md. */

const values = readOptions({
  rounds: { type: 'string', default: '7' },
  seconds: { type: 'string', default: '5' },
  wakes: { type: 'string', default: '100' },
  services: { type: 'string', default: '20' },
  held: { type: 'string', default: '2000' },
  out: { type: 'string', default: resultFile('knative') },
});

/** What it says meanwhile is shown; its output is what it found. */
async function measureInside(state: string, extent: Extent): Promise<Measured> {
  const inside = join(import.meta.dirname, 'inside.ts');
  const lines: string[] = [];
  const status = await runInside(state, [process.execPath, inside, JSON.stringify(extent)], {
    folder: import.meta.dirname,
    onLine: (line) => lines.push(line),
  });
  if (status !== 0) throw new Error(`the benchmark ended with status ${status}`);
  return JSON.parse(lines.join(''));
}

async function main(): Promise<void> {
  const machine = describeMachine();
  const extent: Omit<Extent, 'wrk'> = {
    rounds: countOf('rounds', values.rounds),
    seconds: countOf('seconds', values.seconds),
    wakes: countOf('wakes', values.wakes),
    services: countOf('services', values.services),
    held: countOf('held', values.held),
  };
  const wrk = await ensureTool('wrk', say);
  const cluster = createTestCluster();
  const end = (): void => void cluster.close().finally(() => process.exit(130));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  try {
    say('a cluster, with our image');
    await cluster.must('up', 'rouse');
    const measured = await measureInside(cluster.state, { ...extent, wrk });
    const versions = { node: process.versions.node, wrk: await versionOf('wrk') };
    const report: Report = { ...describeRun('knative', machine, versions), extent, ...measured };
    await writeResult(values.out, report, formatReport(report));
  } finally {
    await cluster.close();
  }
}

await main();
