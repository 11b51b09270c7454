import { readFile } from 'node:fs/promises';
import { messageOf } from '#lib/fault.ts';
import { addToCluster, requireAdditions, requireNamed } from './add.ts';
import { takeDown } from './down.ts';
import { findBox, requireCommand, runHarness, runInside } from './enter.ts';
import { cacheFolder, partsOf, stateFolder } from './folders.ts';
import { thisMachine } from './requirements.ts';
import { describeRun, isWell } from './suites/describe-run.ts';
import { recordRun } from './suites/record-run.ts';
import { runSuite } from './suites/run-suite.ts';
import { bringClusterUp } from './up.ts';

/** `npm run cluster -- COMMAND`: see the README beside this file. */

const USAGE = `npm run cluster -- COMMAND

  up […]      makes a cluster with Knative, in place of one that is there; with what is named, as add does
  add …       adds by name: rouse, our image of the sources as they are; rouse-ingress; rouse-activator, in the place of
              Knative's, and stock-activator, back again; images of Knative's tests; autoscaler-hpa; helm
  down        takes it down, without a trace
  suite NAME … runs a suite of Knative's, or only the tests that are named; ends with status 1 unless all is well;
              with --record what came of it is written down, to be committed
  status      shows what runs; ends with status 1 when something does not
  kubeconfig  prints the file by which clients in the box find the cluster
  exec …      runs a command in the box, such as: exec kubectl get pods -A; exec bash for a shell there
`;
const RECORD = '--record';
/** As shells say it of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

const state = stateFolder(process.env);
const aborted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => aborted.abort(new Error(`ended by ${name}`)));
}
// As with `| head`: nobody reads on.
process.stdout.on('error', (error) => aborted.abort(error));

const started = performance.now();
function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${text}\n`);
}

const outfit = {
  cache: cacheFolder(process.env),
  machine: thisMachine(process.env),
  say,
  signal: aborted.signal,
};

async function run(command: string | undefined, rest: readonly string[]): Promise<number> {
  switch (command) {
    case 'up':
      await up(rest);
      return 0;
    case 'suite':
      return await suite(rest);
    case 'add':
      requireNamed(rest);
      await addToCluster(state, rest, outfit);
      return 0;
    case 'down':
      await takeDown(state);
      return 0;
    case 'status':
      process.stdout.write(`box: process ${(await findBox(state)).pid}\n`);
      return await runHarness(state, 'status');
    case 'kubeconfig':
      await findBox(state);
      process.stdout.write(await readFile(partsOf(state).kubeconfig));
      return 0;
    case 'exec':
      requireCommand(rest);
      return await runInside(state, rest);
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

async function up(additions: readonly string[]): Promise<void> {
  requireAdditions(additions);
  await bringClusterUp(state, outfit);
  await addToCluster(state, additions, outfit);
  say('the cluster is up');
}

async function suite(words: readonly string[]): Promise<number> {
  const [name = '', ...only] = words.filter((word) => word !== RECORD);
  const run = await runSuite(state, name, outfit, only);
  if (words.includes(RECORD)) await recordRun(name, run, new Date().toISOString().slice(0, 10));
  process.stdout.write(describeRun(run));
  return isWell(run) ? 0 : 1;
}

try {
  const [, , command, ...rest] = process.argv;
  process.exitCode = await run(command, rest);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = aborted.signal.aborted ? INTERRUPTED : 1;
}
