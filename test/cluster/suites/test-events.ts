/** What a Go test program says while it runs, as `go tool test2json` gives it: one JSON object a line. */

export type Outcome = 'passed' | 'failed' | 'skipped' | 'missing';

export interface TestResult {
  readonly name: string;
  readonly outcome: Outcome;
  readonly seconds: number;
  /** Why it was skipped, or how it failed: the last lines that it and its parts have written. */
  readonly said: string;
}

export interface TestEvents {
  /** Takes a line. Gives the result of a wanted test that has ended with it. */
  take(line: string): TestResult | undefined;
  /** One for each wanted test, in their order. */
  results(): TestResult[];
  /** What was written outside of all tests, such as the end of a program that was stopped. */
  rest(): string;
}

interface GoEvent {
  readonly Action: string;
  readonly Test?: string;
  readonly Output?: string;
  readonly Elapsed?: number;
}

const OUTCOMES: Readonly<Record<string, Outcome>> = {
  pass: 'passed',
  fail: 'failed',
  skip: 'skipped',
};
/** Of one test: enough to see what went wrong. */
const MAX_LINES = 40;
/** Marks of the format itself. */
const FRAME = /^\s*(=== (RUN|PAUSE|CONT|NAME) |--- (PASS|FAIL|SKIP): )/;

/** `wanted`: full names of tests; a test's parts are told with it. */
export function createTestEvents(wanted: readonly string[]): TestEvents {
  const ended = new Map<string, TestResult>();
  const written = new Map<string, string[]>();

  function note(test: string, output: string): void {
    if (FRAME.test(output)) return;
    const owner = ownerOf(wanted, test);
    const lines = written.get(owner) ?? [];
    lines.push(output.trimEnd());
    if (lines.length > MAX_LINES) lines.shift();
    written.set(owner, lines);
  }
  const saidBy = (owner: string): string => (written.get(owner) ?? []).join('\n').trim();

  return {
    take(line) {
      const event = parseEvent(line);
      if (!event) return undefined;
      const { Action: action, Test: name = '', Output: output, Elapsed: seconds = 0 } = event;
      if (output !== undefined) note(name, output);
      const outcome = OUTCOMES[action];
      if (!outcome || !wanted.includes(name)) return undefined;
      const said = outcome === 'passed' ? '' : saidBy(name);
      const result = { name, outcome, seconds, said };
      ended.set(name, result);
      return result;
    },
    results: () =>
      wanted.map(
        (name) => ended.get(name) ?? { name, outcome: 'missing', seconds: 0, said: saidBy(name) },
      ),
    rest: () => saidBy(''),
  };
}

/** The wanted test that this one is a part of; of two such, the one that says more. */
function ownerOf(wanted: readonly string[], test: string): string {
  const owners = wanted.filter((name) => test === name || test.startsWith(`${name}/`));
  return owners.reduce((one, other) => (other.length > one.length ? other : one), '');
}

function parseEvent(line: string): GoEvent | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
