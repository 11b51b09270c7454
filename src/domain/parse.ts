import type { z } from 'zod';
import { Fault, type Problem } from '#lib/fault.ts';
import { adviceOn } from './known-keys.ts';
import { type ModelDocument, modelDocument } from './model.ts';

const VALUE_LIMIT = 80;

/** Parses or throws Fault `invalid` with every problem at once. `what` names the document: `model file x.yaml`. */
export function parseDocument<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what: string,
): z.output<S> {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, { input, schema }));
  throw new Fault('invalid', summaryOf(what, problems), { problems });
}

export function parseModel(input: unknown, what = 'model'): ModelDocument {
  return parseDocument(modelDocument, input, what);
}

/** One line per problem, as the command line and the API show it. */
export function formatProblem(problem: Problem): string {
  const where = problem.key === '' ? '(document)' : problem.key;
  return `${where}: found ${problem.value}, expected ${problem.expected}`;
}

/** One sentence, or a line for each problem. */
export function summaryOf(what: string, problems: readonly Problem[]): string {
  const [first, ...rest] = problems;
  if (!first) return `${what} is invalid`;
  if (rest.length === 0) return `${what}: ${formatProblem(first)}`;
  return `${what} has ${problems.length} problems:\n${problems.map((p) => `  ${formatProblem(p)}`).join('\n')}`;
}

interface Document {
  readonly input: unknown;
  readonly schema: z.ZodType;
}

function problemsOf(issue: z.core.$ZodIssue, document: Document): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      problemAt([...issue.path, key], document, adviceOn(document.schema, issue.path, key)),
    );
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return closestOf(issue).flatMap((inner) =>
      problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, document),
    );
  }
  return [problemAt(issue.path, document, expectedOf(issue))];
}

function problemAt(path: readonly PropertyKey[], { input }: Document, expected: string): Problem {
  return { key: pathOf(path), value: shorten(valueAt(input, path)), expected };
}

/** Only the variant that came closest is of use to a reader; where none is of that type, all are. */
function closestOf(issue: z.core.$ZodIssueInvalidUnion): z.core.$ZodIssue[] {
  const [closest] = issue.errors
    .filter((issues) => !issues.some(isOfOtherType))
    .toSorted((a, b) => a.length - b.length);
  if (closest) return closest;
  const expected = issue.errors.flatMap((issues) => issues.filter(isOfOtherType).map(expectedOf));
  const message = [...new Set(expected)].join(' or ');
  return [{ code: 'custom', path: [], message, input: issue.input }];
}

function isOfOtherType(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'invalid_type' && issue.path.length === 0;
}

/** The words of a model file for what zod calls a type. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
};

function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      // A schema that says itself what it expects says more.
      if (!issue.message.startsWith('Invalid input')) return issue.message;
      return TYPES[issue.expected] ?? issue.expected;
    case 'invalid_value':
      return issue.values.length === 1 ? JSON.stringify(issue.values[0]) : choiceOf(issue.values);
    case 'too_small':
      return boundOf(issue, issue.inclusive ? 'at least' : 'more than', issue.minimum);
    case 'too_big':
      return boundOf(issue, issue.inclusive ? 'at most' : 'less than', issue.maximum);
    case 'invalid_union':
      return 'options' in issue && issue.options ? choiceOf(issue.options) : issue.message;
    case 'invalid_key':
      return issue.issues.map(expectedOf).join(', ');
    default:
      return issue.message;
  }
}

function choiceOf(values: readonly unknown[]): string {
  return `one of ${values.map(String).join(', ')}`;
}

function boundOf(issue: { origin: string }, words: string, bound: number | bigint): string {
  if (issue.origin === 'string') return `${words} ${bound} characters`;
  return issue.origin === 'array' ? `${words} ${bound} entries` : `${words} ${bound}`;
}

function pathOf(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function shorten(value: unknown): string {
  if (value === undefined) return 'nothing';
  // JSON has no words for .nan and .inf.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : text;
}
