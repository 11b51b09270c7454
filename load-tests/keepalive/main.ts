import { join } from 'node:path';
import { readVersion } from '#lib/version.ts';
import { readTrace } from '#simulate/read-trace.ts';
import { readOptions } from '../measure/options.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { evaluate } from './evaluate.ts';
import { formatReport, type Report } from './report.ts';

/** The learned keep-alive beside its baselines on the traces: see policies/README.md. */

const values = readOptions({ out: { type: 'string', default: resultFile('keepalive') } });
const traceFile = (name: string): string =>
  join(import.meta.dirname, '../traces', `${name}.csv.gz`);

const a500 = await readTrace(
  traceFile('azure2019_500fn_8h_invocations'),
  traceFile('azure2019_500fn_8h_memory'),
);
const a1350 = await readTrace(traceFile('azure2019_1350fn_1d_inv'));
const report: Report = {
  benchmark: 'keepalive',
  at: new Date().toISOString(),
  versions: { rouse: readVersion(), node: process.versions.node },
  traces: [evaluate('A500', a500, say), evaluate('A1350', a1350, say)],
};
await writeResult(values.out, report, formatReport(report));
