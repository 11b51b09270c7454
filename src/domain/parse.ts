import type { z } from 'zod';
import { Fault, type Problem } from '#lib/fault.ts';
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
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, input));
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

function problemsOf(issue: z.core.$ZodIssue, input: unknown): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      key: pathOf([...issue.path, key]),
      value: shorten(valueAt(input, [...issue.path, key])),
      expected: 'no such key',
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // Only the branch that came closest is of use to a reader.
    const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? [];
    return closest.flatMap((inner) =>
      problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, input),
    );
  }
  return [
    {
      key: pathOf(issue.path),
      value: shorten(valueAt(input, issue.path)),
      expected: expectedOf(issue),
    },
  ];
}

function expectedOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected;
    case 'invalid_value':
      return issue.values.length === 1
        ? JSON.stringify(issue.values[0])
        : `one of ${issue.values.map((value) => String(value)).join(', ')}`;
    case 'too_small':
      return `${issue.origin === 'number' || issue.origin === 'int' ? '' : 'length '}${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`;
    case 'too_big':
      return `${issue.origin === 'number' || issue.origin === 'int' ? '' : 'length '}${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`;
    case 'invalid_union':
      return 'another value of the key that tells the variants apart';
    default:
      return issue.message;
  }
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
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > VALUE_LIMIT ? `${text.slice(0, VALUE_LIMIT)}…` : text;
}
