import { mkdir } from 'node:fs/promises';
import { readVersion } from '#lib/version.ts';
import { type Awake, measureAwake } from './awake.ts';
import { folderFor, makeServer, register } from './models.ts';
import { formatReport, type Report, summarise } from './report.ts';
import { measureLearned } from './learned.ts';
import { measureRest } from './rest.ts';
import { withFolder } from '../measure/ending.ts';
import { describeMachine } from '../measure/machine.ts';
import { countOf, readOptions } from '../measure/options.ts';
import { resultFile, say, writeResult } from '../measure/results.ts';
import { startRouse } from '../measure/rouse.ts';
import { measureRouting } from './routing.ts';

/**
 * What many models cost a real `rouse serve`: see load-tests/README.md. Ends with status 1 when a request
 * fails; no figure makes it fail.
 */

const values = readOptions({
  models: { type: 'string', default: '10000' },
  awake: { type: 'string', default: '1000' },
  rounds: { type: 'string', default: '5' },
  out: { type: 'string', default: resultFile('scale') },
});
const models = countOf('models', values.models);
const called = countOf('awake', values.awake);
const rounds = countOf('rounds', values.rounds);

async function main(): Promise<number> {
  const { noisy, ...machine } = describeMachine();
  return await withFolder('scale', async (folder) => {
    const { args, what } = await makeServer(folder);
    const registeredMs: Record<string, number> = {};
    for (const count of new Set([0, 1, called, models])) {
      registeredMs[count] = await fill(folder, count, args);
      say(`registered ${count} models in ${(registeredMs[count] / 1000).toFixed(1)} s`);
    }
    say('starting and resting');
    const rest = await measureRest(folder, [...new Set([0, called, models])], rounds);
    say('routing');
    const { routing, errors } = await measureRouting(folder, models);
    const awake: Awake[] = [];
    for (const count of new Set([called, models])) {
      say(`waking ${called} of ${count} models`);
      awake.push(await measureAwake(folder, count, called));
    }
    say(`${models} models that keep-alive has learned of`);
    const learned = await measureLearned(folder, models, args);
    const measured = { registeredMs, rest, routing, awake, learned };
    const failures = [...errors, ...awake.flatMap((each) => each.errors)];
    const report: Report = {
      benchmark: 'scale',
      at: new Date().toISOString(),
      versions: { rouse: readVersion(), node: process.version },
      machine,
      noisy,
      server: what,
      ...measured,
      ratios: summarise(rest, routing, awake),
      errors: failures.length,
    };
    await writeResult(values.out, report, formatReport(report));
    for (const failure of failures.slice(0, 10)) say(failure);
    return failures.length === 0 ? 0 : 1;
  });
}

async function fill(parent: string, count: number, args: string[]): Promise<number> {
  const folder = folderFor(parent, count);
  await mkdir(folder);
  const rouse = await startRouse(folder, false);
  try {
    return await register(rouse, count, args);
  } finally {
    await rouse.stop();
  }
}

process.exitCode = await main();
