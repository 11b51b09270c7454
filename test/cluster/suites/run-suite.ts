import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { addToCluster, createClusterKubectl, findImages } from '../add.ts';
import { type Builder, buildPrograms } from '../build.ts';
import { readPlan, runInside } from '../enter.ts';
import { partsOf } from '../folders.ts';
import { imageName } from '../image-name.ts';
import { applyManifests, type Kubectl } from '../kubectl.ts';
import { createBuilder, type Outfit } from '../make-plan.ts';
import { type Activator, findActivator } from '../place-activator.ts';
import { type Suite, SUITES } from './suites.ts';
import { prepareSuite } from './prepare-suite.ts';
import { createTestEvents, type TestResult } from './test-events.ts';

export interface SuiteRun {
  readonly activator: Activator;
  readonly results: readonly TestResult[];
  /** What was said outside of tests. */
  readonly rest: string;
  /** The file with everything that was said. */
  readonly log: string;
}

/** The files of the serving module that say what its tests need in a cluster. */
const RESOURCES = ['cluster-resources.yaml', 'test-resources.yaml'];
/** Where the suites look for the ingress. */
const GATEWAY = { GATEWAY_OVERRIDE: 'rouse-ingress', GATEWAY_NAMESPACE_OVERRIDE: 'rouse-system' };
/** A suite that does not end by its own clock is ended by ours. */
const GRACE_MS = 60_000;
const MINUTE_MS = 60_000;

/** Throws a Fault for a name that no suite has. */
function suiteOf(name: string): Suite {
  const suite = SUITES[name];
  if (suite) return suite;
  const wrong = name === '' ? 'suite needs a name' : `no suite ${name}`;
  throw new Fault('invalid', `${wrong}; there are: ${Object.keys(SUITES).join(', ')}`);
}

/** Runs a suite, or only some of its tests, against the cluster of this state. */
export async function runSuite(
  state: string,
  name: string,
  outfit: Outfit,
  only: readonly string[] = [],
): Promise<SuiteRun> {
  const suite = suiteOf(name);
  const tests = only.length > 0 ? only : suite.tests;
  const builder = await createBuilder(outfit);
  const { [name]: program = '' } = await buildPrograms(builder, [name]);
  const there = await findImages(state);
  const missing = suite.images.filter((image) => !there.has(imageName(image)));
  await addToCluster(state, missing, outfit);
  const kubectl = await createClusterKubectl(state);
  await applyResources(kubectl, state);
  const activator = await findActivator(kubectl);
  const restore = await prepareSuite(kubectl, suite);
  try {
    return { activator, ...(await runProgramOf({ state, name, suite, tests, program, builder })) };
  } finally {
    await restore();
  }
}

async function applyResources(kubectl: Kubectl, state: string): Promise<void> {
  const { modules } = await readPlan(state);
  const folder = join(modules['knative.dev/serving'] ?? '', 'test/config');
  const texts = await Promise.all(RESOURCES.map((name) => readFile(join(folder, name), 'utf8')));
  await applyManifests(kubectl, texts.join('---\n'));
}

async function runProgramOf(options: {
  readonly state: string;
  readonly name: string;
  readonly suite: Suite;
  readonly tests: readonly string[];
  readonly program: string;
  readonly builder: Builder;
}): Promise<Omit<SuiteRun, 'activator'>> {
  const { state, name, suite, tests, program, builder } = options;
  const { go, say, signal } = builder;
  const log = join(partsOf(state).logs, `suite-${name}.jsonl`);
  const file = createWriteStream(log);
  const events = createTestEvents(tests);
  const onLine = (line: string): void => {
    file.write(`${line}\n`);
    const ended = events.take(line);
    if (ended) say(`${ended.outcome.padEnd(7)}  ${ended.name}  ${ended.seconds} s`);
  };
  const convert = [go, 'tool', 'test2json', '-t'];
  const flags = [...makeSelection(tests), `-test.timeout=${suite.minutes}m`, '-test.v=test2json'];
  const bound = AbortSignal.timeout(suite.minutes * MINUTE_MS + GRACE_MS);
  await runInside(state, [...convert, program, ...flags, ...suite.args], {
    folder: import.meta.dirname,
    onLine,
    env: GATEWAY,
    signal: AbortSignal.any([signal, bound]),
  });
  file.end();
  signal.throwIfAborted();
  return { results: events.results(), rest: events.rest(), log };
}

/** Go selects by patterns for each level of a name; a suite's own names may have slashes, so below it all run. */
function makeSelection(tests: readonly string[]): string[] {
  const names = new Set(tests.map((test) => test.split('/')[0]));
  return [`-test.run=^(${[...names].join('|')})$`];
}
