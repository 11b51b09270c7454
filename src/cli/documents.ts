import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { DEFAULT_NAMESPACE, modelKey } from '#domain/names.ts';
import type { ModelInput } from '#domain/model.ts';
import { formatProblem, isModel, parseModel } from '#domain/parse.ts';
import { Fault, messageOf, type Problem } from '#lib/fault.ts';
import { parseYaml, type YamlDocument } from '#lib/yaml.ts';

/** A model document that can be applied. */
export interface ModelSource {
  /** `namespace/model`. */
  readonly key: string;
  readonly input: ModelInput;
  /** As it is shown: relative to where the command was started. */
  readonly file: string;
  /** Relative sources are relative to this. */
  readonly folder: string;
}

/** One that was found in a file. */
export interface FoundModel extends ModelSource {
  readonly lineOf: YamlDocument['lineOf'];
}

/** One that was found, be it right or wrong. */
interface FoundDocument {
  readonly value: unknown;
  readonly file: string;
  readonly folder: string;
  readonly lineOf: YamlDocument['lineOf'];
}

export interface Found {
  readonly models: readonly FoundModel[];
  readonly documents: readonly FoundDocument[];
  /** One line each, `file:line: key: …`; the file names that they come from. */
  readonly problems: readonly { readonly file: string; readonly text: string }[];
}

/** A folder that was meant by mistake is noticed early. */
const MAX_FILES = 20_000;
const MAX_DEPTH = 8;
const SKIPPED = new Set(['node_modules', '__pycache__']);
/** In a folder, what does not look like one of ours may be anything: requests, settings of other programs. */
const OURS = /rouse\.dev\/|^\s*["']?kind["']?\s*:\s*["']?(Model|Server)\b/m;

/**
 * The model documents of files and folders. Never throws for what is wrong in a file: a problem of one says
 * nothing of the others, and all are told together.
 */
export async function findModels(
  paths: readonly string[],
  options: { cwd: string; namespace?: string | undefined },
): Promise<Found> {
  const models: FoundModel[] = [];
  const documents: FoundDocument[] = [];
  const problems: Found['problems'][number][] = [];
  for (const { path, named } of await filesOf(paths, options.cwd)) {
    const file = relative(options.cwd, path) || path;
    try {
      const text = await readFile(path, 'utf8');
      if (!named && !OURS.test(text)) continue;
      for (const document of parseYaml(text, file)) {
        if (isServer(document.value)) continue;
        documents.push({ ...document, file, folder: dirname(path) });
        const result = readModelDocument(document, file, path, options.namespace);
        if ('texts' in result) problems.push(...result.texts.map((text) => ({ file, text })));
        else models.push(result);
      }
    } catch (error) {
      problems.push({ file, text: textOf(error, file) });
    }
  }
  return { models, documents, problems: [...problems, ...duplicatesIn(models)] };
}

/** `file:line: key: found …, expected …`. */
export function problemAt(file: string, lineOf: YamlDocument['lineOf'], problem: Problem): string {
  return `${file}:${lineOf(problem.key)}: ${formatProblem(problem)}`;
}

function readModelDocument(
  document: YamlDocument,
  file: string,
  path: string,
  namespace: string | undefined,
): FoundModel | { texts: string[] } {
  const value = prepare(document.value, namespace);
  try {
    const { metadata } = parseModel(value, file);
    if (!isModel(value)) return { texts: [`${file}: no model`] };
    const key = modelKey(metadata.namespace, metadata.name);
    return { key, input: value, file, folder: dirname(path), lineOf: document.lineOf };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { texts: error.problems.map((problem) => problemAt(file, document.lineOf, problem)) };
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

/** `rouse.yaml` may lie beside the models; it is read by `serve`. */
function isServer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Server';
}

function duplicatesIn(models: readonly FoundModel[]): Found['problems'][number][] {
  const first = new Map<string, FoundModel>();
  const problems: Found['problems'][number][] = [];
  for (const model of models) {
    const other = first.get(model.key);
    if (!other) first.set(model.key, model);
    else {
      const place = `${model.file}:${model.lineOf('metadata.name')}`;
      const otherPlace = `${other.file}:${other.lineOf('metadata.name')}`;
      const name = model.key.replace(`${DEFAULT_NAMESPACE}/`, '');
      const text = `${place}: model ${name} is also in ${otherPlace}: one document for each model`;
      problems.push({ file: model.file, text });
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
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'it may not be read';
  if (code === 'EISDIR') return 'it is a folder';
  return messageOf(error);
}
