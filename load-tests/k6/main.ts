import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applyModel } from '#load-tests/measure/apply.ts';
import { endWithBenchmark, withFolder } from '#load-tests/measure/ending.ts';
import { describeMachine } from '#load-tests/measure/machine.ts';
import { untilModel } from '#load-tests/measure/model.ts';
import { readOptions } from '#load-tests/measure/options.ts';
import { describeRun } from '#load-tests/measure/report.ts';
import { choose, resultFile, say, writeResult } from '#load-tests/measure/results.ts';
import { type Rouse, startRouse } from '#load-tests/measure/rouse.ts';
import { ensureTool, versionOf } from '#load-tests/peers/tools.ts';
import { formatReport, type Ran, type Report } from './report.ts';

/** The three uses of Rouse as k6 scripts: see load-tests/README.md. Ends with status 1 when a threshold is missed. */

const SCRIPTS = ['bursty', 'canary', 'batch'];
const values = readOptions({
  scripts: { type: 'string', default: SCRIPTS.join(',') },
  out: { type: 'string', default: resultFile('k6') },
});
const scripts = choose(SCRIPTS, values.scripts, (name) => name);
const SOURCE = join(import.meta.dirname, '../cold/models/function.ts');
/** Shorter than the silence between two bursts. */
const IDLE = '1s';

interface Summary {
  readonly metrics: {
    readonly http_reqs: { readonly count: number; readonly rate: number };
    readonly http_req_duration: { readonly med: number; readonly 'p(95)': number };
  };
}

async function main(): Promise<number> {
  const machine = describeMachine();
  const k6 = await ensureTool('k6', say);
  return await withFolder('k6', async (folder) => {
    const rouse = await startRouse(folder, false);
    try {
      const ran: Ran[] = [];
      for (const script of scripts) ran.push(await runScript(k6, script, rouse, folder));
      const head = describeRun('k6', machine, { k6: await versionOf('k6') });
      const report: Report = { ...head, ran };
      await writeResult(values.out, report, formatReport(report));
      return ran.every(({ passed }) => passed) ? 0 : 1;
    } finally {
      await rouse.stop();
    }
  });
}

/** Each with a model of its own, asleep at the start, whose second revision gets a tenth. */
async function runScript(k6: string, script: string, rouse: Rouse, folder: string): Promise<Ran> {
  const revision = { runtime: 'function', source: SOURCE };
  await applyModel(rouse, folder, script, {
    revisions: [
      { name: 'v1', ...revision },
      { name: 'v2', ...revision },
    ],
    traffic: [
      { revision: 'v1', percent: 90 },
      { revision: 'v2', percent: 10 },
    ],
    keepAlive: { policy: 'fixed', idle: IDLE },
  });
  await untilModel(rouse, script, ({ state, instances }) => {
    return state === 'Asleep' && instances.length === 0;
  });
  const file = join(folder, `${script}.json`);
  const target = ['-e', `TARGET=http://127.0.0.1:${rouse.port}`, '-e', `MODEL=${script}`];
  const path = join(import.meta.dirname, `${script}.ts`);
  const quiet = ['--quiet', '--no-color', '--no-usage-report'];
  const args = ['run', ...quiet, `--summary-export=${file}`, ...target, path];
  const child = spawn(k6, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  endWithBenchmark(child);
  const [status] = await once(child, 'exit');
  const { metrics }: Summary = JSON.parse(await readFile(file, 'utf8'));
  return {
    script,
    passed: status === 0,
    requests: metrics.http_reqs.count,
    perSecond: metrics.http_reqs.rate,
    p50Ms: metrics.http_req_duration.med,
    p95Ms: metrics.http_req_duration['p(95)'],
  };
}

process.exitCode = await main();
