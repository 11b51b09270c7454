import type { z } from 'zod';
import { Fault, formatProblem, type Problem } from '#lib/fault.ts';
import { adviceOn } from './known-keys.ts';
import { type ModelDocument, modelDocument, type ModelInput } from './model.ts';

const VALUE_LIMIT = 80;
/** A key that is longer is cut; no real one is. */
const PATH_LIMIT = 200;
/** Told of one document: whoever made more mistakes mends these first. Bounds the work on a hostile document. */
export const MAX_PROBLEMS = 50;

/** Many times what any document of ours needs, and far from the end of any stack. */
const MAX_DEPTH = 64;

/** What is wrong with a document: `problems`, and `more` that are not told. */
export interface Problems {
  readonly problems: readonly Problem[];
  readonly more: number;
}

/** Parses or throws Fault `invalid` with every problem at once. `what` names the document: `model file x.yaml`. */
export function parseDocument<S extends z.ZodType>(
  schema: S,
  input: unknown,
  what: string,
): z.output<S> {
  const result = check(schema, input);
  if ('value' in result) return result.value;
  throw new Fault('invalid', summaryOf(what, result), { problems: result.problems });
}

export function parseModel(input: unknown, what = 'model'): ModelDocument {
  return parseDocument(modelDocument, input, what);
}

/** Nothing is filled in or changed: what is kept is what was written. */
export function isModel(value: unknown): value is ModelInput {
  return modelDocument.safeParse(value).success;
}

/** What `parseDocument` would refuse; nothing when the document is right. */
export function findProblems(schema: z.ZodType, input: unknown): Problems {
  const result = check(schema, input);
  return 'value' in result ? { problems: [], more: 0 } : result;
}

/** One sentence, or a line for each problem. */
export function summaryOf(what: string, { problems, more }: Problems): string {
  const [first, ...rest] = problems;
  if (!first) return `${what} is invalid`;
  if (rest.length === 0) return `${what}: ${formatProblem(first)}`;
  const lines = problems.map((problem) => `  ${formatProblem(problem)}`);
  if (more > 0) lines.push(`  and ${more} more`);
  return `${what} has ${problems.length + more} problems:\n${lines.join('\n')}`;
}

/** A value as JSON, shortened. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  // JSON has no words for .nan and .inf.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return cut(text, VALUE_LIMIT);
}

function check<S extends z.ZodType>(schema: S, input: unknown): { value: z.output<S> } | Problems {
  if (isTooDeep(input)) {
    const expected = `at most ${MAX_DEPTH}`;
    return { problems: [{ key: '', value: `more than ${MAX_DEPTH} levels`, expected }], more: 0 };
  }
  const prototype = findPrototype(input, [], new Set());
  if (prototype) {
    const value = showValue(valueAt(input, prototype));
    return { problems: [{ key: pathOf(prototype), value, expected: 'another name' }], more: 0 };
  }
  const result = schema.safeParse(input, { reportInput: true });
  return result.success ? { value: result.data } : collect(result.error, { input, schema });
}

/** Level by level: what recurses would end with the stack. */
function isTooDeep(input: unknown): boolean {
  let level: readonly unknown[] = [input];
  for (let depth = 0; depth <= MAX_DEPTH; depth += 1) {
    level = [...new Set(level.filter(isObject).flatMap((value) => Object.values(value)))];
    if (level.length === 0) return false;
  }
  return true;
}

/** A key of this name is left out by schemas, and nobody is told. `seen`: what a YAML alias shows again is not looked at again. */
function findPrototype(
  input: unknown,
  path: readonly PropertyKey[],
  seen: Set<unknown>,
): readonly PropertyKey[] | undefined {
  if (!isObject(input) || seen.has(input)) return undefined;
  seen.add(input);
  if (Object.hasOwn(input, '__proto__')) return [...path, '__proto__'];
  for (const [key, value] of Object.entries(input)) {
    const found = findPrototype(value, [...path, Array.isArray(input) ? Number(key) : key], seen);
    if (found) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

interface Document {
  readonly input: unknown;
  readonly schema: z.ZodType;
}

/** A problem that costs nothing until it is told. */
interface Finding {
  readonly path: readonly PropertyKey[];
  readonly expected: () => string;
}

function collect(error: z.ZodError, document: Document): Problems {
  const findings = error.issues.flatMap((issue) => findingsOf(issue, document.schema));
  const told = findings.slice(0, MAX_PROBLEMS);
  const problems = told.map(({ path, expected }) => ({
    key: pathOf(path),
    value: showValue(valueAt(document.input, path)),
    expected: expected(),
  }));
  return { problems, more: findings.length - told.length };
}

function findingsOf(issue: z.core.$ZodIssue, schema: z.ZodType): Finding[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key],
      expected: () => adviceOn(schema, issue.path, key),
    }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return closestOf(issue).flatMap((inner) =>
      findingsOf({ ...inner, path: [...issue.path, ...inner.path] }, schema),
    );
  }
  return [{ path: issue.path, expected: () => expectedOf(issue) }];
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
  return cut(text, PATH_LIMIT);
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

function cut(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}
