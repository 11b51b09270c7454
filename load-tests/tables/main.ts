import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatReport as formatBatch } from '../batch/report.ts';
import { formatReport as formatBurst } from '../burst/report.ts';
import { formatReport as formatCold } from '../cold/report.ts';
import { formatReport as formatCrowd } from '../crowd/report.ts';
import { formatReport as formatKeepAlive } from '../keepalive/report.ts';
import { formatReport as formatK6 } from '../k6/report.ts';
import { formatReport as formatKnative } from '../knative/report.ts';
import type { Machine } from '../measure/machine.ts';
import { resultFile, say } from '../measure/results.ts';
import { formatReport as formatProxy } from '../proxy/report.ts';
import { formatReport as formatScaling } from '../scaling/report.ts';
import { formatReport as formatSoak } from '../soak/report.ts';
import { replaceBetween } from './markers.ts';
import { summariseCold, summariseProxy } from './summary.ts';

/** Writes the tables of the READMEs from what `results/` holds: see load-tests/README.md. */

const OWN = resolve(import.meta.dirname, '../README.md');
const POLICIES = resolve(import.meta.dirname, '../../policies/README.md');
const PROJECT = resolve(import.meta.dirname, '../../README.md');

const COUNTS = new Set(['soak', 'crowd']);

function write(file: string, benchmark: string, format: (json: string) => string): void {
  const result = resultFile(benchmark);
  if (!existsSync(result)) {
    say(`${benchmark}: there is no ${result}`);
    return;
  }
  const json = readFileSync(result, 'utf8');
  // A soak and a crowd count, and so does what has no machine: that depends on nothing that runs beside it.
  const { machine }: { machine?: Machine } = JSON.parse(json);
  if (machine?.noisy === true && !COUNTS.has(benchmark)) {
    throw new Error(`${benchmark}: other programs were running; measure again on a quiet machine`);
  }
  writeFileSync(file, replaceBetween(readFileSync(file, 'utf8'), benchmark, format(json)));
}

write(OWN, 'proxy', (json) => formatProxy(JSON.parse(json)));
write(OWN, 'cold', (json) => formatCold(JSON.parse(json)));
write(OWN, 'burst', (json) => formatBurst(JSON.parse(json)));
write(OWN, 'batch', (json) => formatBatch(JSON.parse(json)));
write(OWN, 'crowd', (json) => formatCrowd(JSON.parse(json)));
write(OWN, 'scaling', (json) => formatScaling(JSON.parse(json)));
write(OWN, 'knative', (json) => formatKnative(JSON.parse(json)));
write(OWN, 'k6', (json) => formatK6(JSON.parse(json)));
write(OWN, 'soak', (json) => formatSoak(JSON.parse(json)));
write(POLICIES, 'keepalive', (json) => formatKeepAlive(JSON.parse(json)));
write(PROJECT, 'proxy', (json) => summariseProxy(JSON.parse(json)));
write(PROJECT, 'cold', (json) => summariseCold(JSON.parse(json)));
