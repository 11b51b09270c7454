import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { DEFAULT_NAMESPACE, modelKey } from '#domain/names.ts';
import type { ModelInput } from '#domain/model.ts';
import { isModel, parseDocument, parseModel } from '#domain/parse.ts';
import { isSchedule, scheduleDocument, type ScheduleInput } from '#domain/schedule.ts';
import { codeOf, Fault, formatProblem, messageOf, type Problem } from '#lib/fault.ts';
import { parseYaml, type YamlDocument } from '#lib/yaml.ts';

/** A document that can be applied. */
interface Source<T> {
  /** `namespace/name`. */
  readonly key: string;
  readonly input: T;
  /** As it is shown: relative to where the command was started. */
  readonly file: string;
  /** Relative sources are relative to this. */
  readonly folder: string;
}

export type ModelSource = Source<ModelInput>;
export type ScheduleSource = Source<ScheduleInput>;

/** One that was found in a file. */
type In<T> = Source<T> & Pick<YamlDocument, 'lineOf'>;
export type FoundModel = In<ModelInput>;
type FoundSchedule = In<ScheduleInput>;

/** What documents of a kind are. */
interface Kind<T> {
  readonly what: string;
  /** Throws the Fault with all that is wrong. */
  parse(
    value: unknown,
    file: string,
  ): { readonly metadata: { readonly name: string; readonly namespace: string } };
  is(value: unknown): value is T;
}

const MODEL: Kind<ModelInput> = { what: 'model', parse: parseModel, is: isModel };
const SCHEDULE: Kind<ScheduleInput> = {
  what: 'schedule',
  parse: (value, file) => parseDocument(scheduleDocument, value, file),
  is: isSchedule,
};

/** One that was found, be it right or wrong. */
interface FoundDocument {
  readonly value: unknown;
  readonly file: string;
  readonly folder: string;
  readonly lineOf: YamlDocument['lineOf'];
}

export interface Found {
  readonly models: readonly FoundModel[];
  readonly schedules: readonly FoundSchedule[];
  readonly documents: readonly FoundDocument[];
  /** One line each, `file:line: key: …`; the file names that they come from. */
  readonly problems: readonly { readonly file: string; readonly text: string }[];
}

/** A folder that was meant by mistake is noticed early. */
const MAX_FILES = 20_000;
const MAX_DEPTH = 8;
const SKIPPED = new Set(['node_modules', '__pycache__']);
/** In a folder, what does not look like one of ours may be anything: requests, settings of other programs. */
const OURS = /rouse\.dev\/|^\s*["']?kind["']?\s*:\s*["']?(Model|Schedule|Server)\b/m;

/**
 * The models and schedules of files and folders. Never throws for what is wrong in a file: a problem of one says
 * nothing of the others, and all are told together.
 */
export async function findDocuments(
  paths: readonly string[],
  options: { cwd: string; namespace?: string | undefined },
): Promise<Found> {
  const models: FoundModel[] = [];
  const schedules: FoundSchedule[] = [];
  const documents: FoundDocument[] = [];
  const problems: Found['problems'][number][] = [];
  for (const { path, named } of await filesOf(paths, options.cwd)) {
    const file = relative(options.cwd, path) || path;
    try {
      const text = await readFile(path, 'utf8');
      if (!named && !OURS.test(text)) continue;
      for (const document of parseYaml(text, file)) {
        // `rouse.yaml` may lie beside the models; it is read by `serve`.
        if (isOfKind(document.value, 'Server')) continue;
        documents.push({ ...document, file, folder: dirname(path) });
        const place = { file, path, namespace: options.namespace };
        const texts = isOfKind(document.value, 'Schedule')
          ? take(SCHEDULE, document, place, schedules)
          : take(MODEL, document, place, models);
        problems.push(...texts.map((text) => ({ file, text })));
      }
    } catch (error) {
      problems.push({ file, text: textOf(error, file) });
    }
  }
  const duplicates = [...duplicatesIn(MODEL, models), ...duplicatesIn(SCHEDULE, schedules)];
  return { models, schedules, documents, problems: [...problems, ...duplicates] };
}

/** `file:line: key: found …, expected …`. */
export function problemAt(file: string, lineOf: YamlDocument['lineOf'], problem: Problem): string {
  return `${file}:${lineOf(problem.key)}: ${formatProblem(problem)}`;
}

/** Adds it to those that were found; what is wrong with it, if anything is. */
function take<T>(
  kind: Kind<T>,
  document: YamlDocument,
  { file, path, namespace }: { file: string; path: string; namespace: string | undefined },
  found: In<T>[],
): string[] {
  const { lineOf } = document;
  const value: unknown = prepare(document.value, namespace);
  try {
    const { metadata } = kind.parse(value, file);
    if (!kind.is(value)) return [`${file}: no ${kind.what}`];
    const key = modelKey(metadata.namespace, metadata.name);
    found.push({ key, input: value, file, folder: dirname(path), lineOf });
    return [];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return error.problems.map((problem) => problemAt(file, lineOf, problem));
  }
}

/** Without what a read adds; in the namespace of the command where the file names none. */
function prepare(value: unknown, namespace: string | undefined): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const document: Record<string, unknown> = { ...value };
  delete document['status'];
  const { metadata } = document;
  if (namespace === undefined || typeof metadata !== 'object' || metadata === null) return document;
  return { ...document, metadata: { namespace, ...metadata } };
}

function isOfKind(value: unknown, kind: string): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
}

function duplicatesIn<T>({ what }: Kind<T>, found: readonly In<T>[]): Found['problems'][number][] {
  const first = new Map<string, In<T>>();
  const problems: Found['problems'][number][] = [];
  for (const one of found) {
    const other = first.get(one.key);
    if (!other) first.set(one.key, one);
    else {
      const place = `${one.file}:${one.lineOf('metadata.name')}`;
      const otherPlace = `${other.file}:${other.lineOf('metadata.name')}`;
      const name = one.key.replace(`${DEFAULT_NAMESPACE}/`, '');
      const text = `${place}: ${what} ${name} is also in ${otherPlace}: one document for each ${what}`;
      problems.push({ file: one.file, text });
    }
  }
  return problems;
}

async function filesOf(paths: readonly string[], cwd: string) {
  const files: { path: string; named: boolean }[] = [];
  for (const given of paths) {
    const path = resolve(cwd, given);
    const found = await stat(path).catch((error: unknown) => {
      throw new Fault('not_found', `${given} cannot be read: ${reasonOf(error)}`);
    });
    if (!found.isDirectory()) files.push({ path, named: true });
    else await walk(path, 0, files);
  }
  return files;
}

async function walk(folder: string, depth: number, files: { path: string; named: boolean }[]) {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) continue;
    if (entry.isDirectory() && depth < MAX_DEPTH) await walk(path, depth + 1, files);
    if (!entry.isFile() || !/\.(ya?ml|json)$/.test(entry.name)) continue;
    files.push({ path, named: false });
    if (files.length > MAX_FILES) {
      throw new Fault('too_large', `${folder} has more than ${MAX_FILES} YAML and JSON files`);
    }
  }
}

/** A Fault of the parser names the file already. */
function textOf(error: unknown, file: string): string {
  return error instanceof Fault ? error.message : `${file}: ${reasonOf(error)}`;
}

/** What a system error means, without its call and path. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'it may not be read';
  if (code === 'EISDIR') return 'it is a folder';
  return messageOf(error);
}
