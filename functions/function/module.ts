import { type Stats, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Fault, messageOf } from '#lib/fault.ts';
import { isRecord, shorten } from '#functions/protocol/json.ts';

/** What a user's module exports, by its default export. */
export type UserModule =
  | { readonly kind: 'fetch'; readonly handle: (request: Request) => unknown }
  | { readonly kind: 'predict'; readonly model: UserModel };

export interface UserModel {
  load?(): unknown;
  predict(inputs: Record<string, unknown>): unknown;
  /** Answers the paths that are not of V2 or V1. */
  fetch?(request: Request): unknown;
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

const MODULE_FILE = /\.[cm]?[jt]s$/;
const INDEX_FILES = ['index.ts', 'index.js'];
/** `/a/b.ts:3` by itself, or `(file:///a/b.ts:3:7)` at the end of a line of a stack. */
const PLACE = /(?:(file:\/\/\/[^()\s]+?)|((?<=^|\(|\s)\/[^()]+?)):(\d+)(?::\d+)?\)?$/;
const EXPECTED =
  'a default export that is a function (request) => Response, or an object with predict(inputs)';

/**
 * The file to import: the source itself, or the index of a folder. Nothing else happens in this process meanwhile,
 * and threads that wait to be asked take longer than the look itself.
 */
export function findModule(source: string): string {
  const found = look(source);
  if (!found) throw new Fault('invalid', `${basename(source)}: no such file or folder`);
  if (found.isDirectory()) return findIndex(source);
  if (MODULE_FILE.test(source)) return source;
  throw new Fault('invalid', `${basename(source)}: expected a .ts or .js file`);
}

function findIndex(folder: string): string {
  for (const name of INDEX_FILES) {
    const path = join(folder, name);
    if (look(path)?.isFile()) return path;
  }
  throw new Fault('invalid', `the folder holds no ${INDEX_FILES.join(' or ')}`);
}

/** Undefined: nothing is there, or nothing that may be looked at. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

export async function importModule(path: string): Promise<UserModule> {
  const name = basename(path);
  const found = await importDefault(path, name);
  if (isHandler(found)) return { kind: 'fetch', handle: found };
  if (isModel(found)) return { kind: 'predict', model: found };
  const seen = isRecord(found) ? `an object with ${Object.keys(found).join(', ')}` : shorten(found);
  throw new Fault('invalid', `${name}: found ${seen}, expected ${EXPECTED}`);
}

function isHandler(found: unknown): found is (request: Request) => unknown {
  return typeof found === 'function';
}

function isModel(found: unknown): found is UserModel {
  return isRecord(found) && typeof found['predict'] === 'function';
}

async function importDefault(path: string, name: string): Promise<unknown> {
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    return module.default;
  } catch (error) {
    const place = placeIn(dirname(path), error);
    const isOwn = place?.startsWith(`${name}:`) === true;
    const what = place === undefined || isOwn ? '' : `${place}: `;
    const message = `${isOwn ? place : name} cannot be imported: ${what}${messageOf(error)}`;
    throw new Fault('invalid', message, { cause: error });
  }
}

/** The first line of a stack that lies in the folder, as `file:line`; a syntax error of JavaScript has none. */
function placeIn(folder: string, error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  for (const line of error.stack?.split('\n') ?? []) {
    const [, url, plain, number] = PLACE.exec(line) ?? [];
    const path = url === undefined ? plain : fileURLToPath(url);
    if (path === undefined) continue;
    const file = relative(folder, path);
    if (!file.startsWith('..')) return `${file}:${number}`;
  }
  return undefined;
}
