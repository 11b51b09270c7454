import type { Activator } from '../place-activator.ts';
import type { Outcome, TestResult } from './test-events.ts';

/** What came of Knative's suites, with its own activator and with ours: rows for a file, and a table for readers. */

export interface Row {
  readonly suite: string;
  readonly test: string;
  readonly activator: Activator;
  /** Day of the run, as in 2026-01-31. */
  readonly date: string;
  readonly outcome: Outcome;
  readonly seconds: number;
  /** What it said, when it did not pass. */
  readonly said?: string;
}

const ACTIVATORS: readonly Activator[] = ['stock', 'rouse'];
/** Of what a failed test said: the end tells most. */
const MOST_SAID = 1000;

export function makeRows(
  run: { readonly suite: string; readonly activator: Activator; readonly date: string },
  results: readonly TestResult[],
): Row[] {
  return results.map(({ name, outcome, seconds, said }) => ({
    ...run,
    test: name,
    outcome,
    seconds,
    ...(said !== '' && { said: said.slice(-MOST_SAID) }),
  }));
}

/** The rows of a new run in place of older ones of the same test and activator; in a fixed order. */
export function mergeRows(old: readonly Row[], fresh: readonly Row[]): Row[] {
  const rows = new Map([...old, ...fresh].map((row) => [keyOf(row), row]));
  return [...rows.keys()].toSorted().flatMap((key) => rows.get(key) ?? []);
}

function keyOf({ suite, test, activator }: Row): string {
  return [suite, test, activator].join('\n');
}

/** Tests of a suite that do not end well with ours, and do so with Knative's own. */
export function findOnlyOurs(rows: readonly Row[], suite: string): string[] {
  const isWell = ({ outcome }: Row): boolean => outcome === 'passed' || outcome === 'skipped';
  const own = rows.filter((row) => row.suite === suite);
  const failed = own.filter((row) => row.activator === 'rouse' && !isWell(row));
  return failed
    .map(({ test }) => test)
    .filter((test) =>
      own.some((row) => row.test === test && row.activator === 'stock' && isWell(row)),
    );
}

/** A page with a table for each suite. */
export function describeRows(rows: readonly Row[]): string {
  const suites = [...new Set(rows.map(({ suite }) => suite))];
  const parts = suites.map((suite) => describeSuite(suite, rows));
  return ['# Knative’s own suites', INTRODUCTION, ...parts].join('\n\n') + '\n';
}

const INTRODUCTION = `Each with Knative's own activator (stock) and with Rouse's in its place (ours), with Rouse's ingress in both, on the
cluster of the tests. \`npm run test:cluster:full\` writes this page from \`results.json\`, which also has what failed
tests said. The seconds compare nothing: the machine did other things, too; 0.0 s has a test whose parts ran beside
other tests.`;

function describeSuite(suite: string, all: readonly Row[]): string {
  const rows = all.filter((row) => row.suite === suite);
  const tests = [...new Set(rows.map(({ test }) => test))];
  const lines = tests.map((test) => {
    const cells = ACTIVATORS.map((activator) =>
      describeCell(rows.find((row) => row.test === test && row.activator === activator)),
    );
    return `| ${test} | ${cells.join(' | ')} |`;
  });
  const table = ['| test | stock | ours |', '| --- | --- | --- |', ...lines].join('\n');
  const reasons = describeReasons(rows);
  return [`## ${suite}`, countAll(rows), table, ...reasons].join('\n\n');
}

function countAll(rows: readonly Row[]): string {
  const told = ACTIVATORS.flatMap((activator) => {
    const own = rows.filter((row) => row.activator === activator);
    if (own.length === 0) return [];
    const passed = own.filter(({ outcome }) => outcome === 'passed').length;
    const days = [...new Set(own.map(({ date }) => date))].toSorted();
    const name = activator === 'stock' ? 'stock' : 'ours';
    return [`${name}: ${passed} of ${own.length} passed (${days.join(', ')})`];
  });
  return `${told.join('; ')}.`;
}

function describeCell(row: Row | undefined): string {
  if (!row) return '–';
  return row.outcome === 'passed' ? `${row.seconds.toFixed(1)} s` : `**${row.outcome}**`;
}

/** What the suite says of each test that it skips. */
function describeReasons(rows: readonly Row[]): string[] {
  const skipped = rows.filter(({ outcome }) => outcome === 'skipped');
  const reasons = new Map(skipped.map(({ test, said = 'says no reason' }) => [test, said]));
  return [...reasons].map(([test, said]) => `Skipped by the suite: ${test}, \`${said.trim()}\`.`);
}
