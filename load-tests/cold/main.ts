import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readVersion } from '#lib/version.ts';
import { describeMachine } from '../measure/machine.ts';
import { choose, resultFile, say, writeResult } from '../measure/results.ts';
import { startRouse } from '../measure/rouse.ts';
import { formatReport, type Report } from './report.ts';
import { type ColdRow, ROWS } from './rows.ts';
import { type Cold, measureCold } from './wake.ts';

/** Cold starts through Rouse beside a bare loop that starts the same program: see load-tests/README.md. */

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: ROWS.map(({ name }) => name).join(',') },
    wakes: { type: 'string', default: '40' },
    out: { type: 'string', default: resultFile('cold') },
  },
});
const wakes = Number(values.wakes);
const rows = choose(ROWS, values.rows, ({ name }) => name);

async function main(): Promise<void> {
  const machine = describeMachine();
  const folder = await mkdtemp(join(tmpdir(), 'rouse-cold-'));
  try {
    const found: Cold[] = [];
    for (const same of Map.groupBy(rows, ({ flags }) => flags.join(' ')).values()) {
      found.push(...(await measureWith(same, folder, found.length)));
    }
    const python =
      execFileSync('python3', ['-V'], { encoding: 'utf8' }).split(' ')[1]?.trim() ?? '';
    const report: Report = {
      benchmark: 'cold',
      at: new Date().toISOString(),
      versions: { rouse: readVersion(), node: process.versions.node, python },
      machine,
      rows: found,
    };
    await writeResult(values.out, report, formatReport(report));
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Rows whose Rouse has the same flags share one. */
async function measureWith(same: readonly ColdRow[], parent: string, at: number): Promise<Cold[]> {
  const folder = join(parent, String(at));
  await mkdir(folder);
  const rouse = await startRouse(folder, false, same[0]?.flags);
  try {
    const found: Cold[] = [];
    for (const row of same) {
      say(`${row.name}: ${wakes} wakes`);
      found.push(await measureCold(row, { rouse, folder, wakes, say }));
    }
    return found;
  } finally {
    await rouse.stop();
  }
}

await main();
