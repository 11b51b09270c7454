import type { SuiteRun } from './run-suite.ts';
import type { Outcome, TestResult } from './test-events.ts';

const OUTCOMES: readonly Outcome[] = ['passed', 'skipped', 'failed', 'missing'];

/** Every test has run, and none failed; what the suite skipped, it skipped for a reason of its own. */
export function isWell({ results }: Pick<SuiteRun, 'results'>): boolean {
  return results.every(({ outcome }) => outcome === 'passed' || outcome === 'skipped');
}

/** What a reader of a terminal wants to know at the end. */
export function describeRun({ results, rest, log }: SuiteRun): string {
  const counts = OUTCOMES.map((wanted) => `${countOf(results, wanted)} ${wanted}`);
  const told = results.filter(({ outcome }) => outcome !== 'passed').map(describeResult);
  const missing = countOf(results, 'missing') > 0 ? [rest] : [];
  return [...told, ...missing, `${counts.join(', ')}; all that was said: ${log}`, ''].join('\n');
}

function countOf(results: readonly TestResult[], wanted: Outcome): number {
  return results.filter(({ outcome }) => outcome === wanted).length;
}

function describeResult({ name, outcome, said }: TestResult): string {
  const lines = said === '' ? [] : said.split('\n').map((line) => `    ${line.trim()}`);
  return [`${outcome}: ${name}`, ...lines].join('\n');
}
