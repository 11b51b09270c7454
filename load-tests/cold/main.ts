import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { describeRun } from '../measure/report.ts';
import { choose, resultFile, say, writeResult } from '../measure/results.ts';
import { startRouse } from '../measure/rouse.ts';
import { formatReport, type Report } from './report.ts';
import { hasSwap } from './paging.ts';
import { ROWS } from './rows.ts';
import { type Cold, measureCold } from './wake.ts';

/** Cold starts through Rouse beside a bare loop that starts the same program: see load-tests/README.md. */

const values = readOptions({
  rows: { type: 'string', default: ROWS.map(({ name }) => name).join(',') },
  wakes: { type: 'string', default: '40' },
  out: { type: 'string', default: resultFile('cold') },
});
const wakes = countOf('wakes', values.wakes);
const chosen = choose(ROWS, values.rows, ({ name }) => name);
const rows = chosen.filter(({ from }) => from !== 'paged' || hasSwap());
const skipped = chosen.filter((row) => !rows.includes(row));

async function main(): Promise<void> {
  const machine = describeMachine();
  await withFolder('cold', async (folder) => {
    const found = await measureAll(folder);
    const python =
      execFileSync('python3', ['-V'], { encoding: 'utf8' }).split(' ')[1]?.trim() ?? '';
    const report: Report = {
      ...describeRun('cold', machine, { node: process.versions.node, python }),
      rows: found,
      skipped: skipped.map(({ name }) => `${name}: there is no swap or zram here`),
    };
    await writeResult(values.out, report, formatReport(report));
  });
}

/** Two of them: one without a pool and one with a process that stands by for each kind. */
async function measureAll(folder: string): Promise<Cold[]> {
  const [without, withPool] = [join(folder, 'fresh'), join(folder, 'pool')];
  await Promise.all([mkdir(without), mkdir(withPool)]);
  const fresh = await startRouse(without, false, ['--pool', '0']);
  const pooled = await startRouse(withPool, false, ['--pool', '1']);
  try {
    const found: Cold[] = [];
    for (const row of rows) {
      say(`${row.name}: ${wakes} wakes`);
      const rouse = row.from === 'pool' ? pooled : fresh;
      found.push(await measureCold(row, { rouse, fresh, folder, wakes, say }));
    }
    return found;
  } finally {
    await fresh.stop();
    await pooled.stop();
  }
}

await main();
