import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path/posix';
import { findCycles } from './cycles.ts';
import { type Import, readSource, type Source } from './source.ts';

/** One row of the layer table. Paths are those of folders or single files. */
export interface Row {
  readonly path: string;
  /** True: only files directly in `path`, not in its sub-folders. */
  readonly direct?: boolean;
  readonly holds: string;
  /** What it may import besides itself. */
  readonly imports: readonly string[] | 'everything';
  /** What it may import with `import type`. */
  readonly types?: readonly string[];
  /** May not import `node:…`. */
  readonly noBuiltins?: boolean;
  /** May not tell the time, throw dice, wait, log or talk. */
  readonly pure?: boolean;
  /** May import packages that others own. */
  readonly anyPackage?: boolean;
  /** Modules that the program brings which runs these files. */
  readonly provided?: readonly string[];
  /** May have default exports. */
  readonly defaults?: boolean;
}

export interface Table {
  readonly rows: readonly Row[];
  /** Third-party package → the paths that may import it. */
  readonly owners: Readonly<Record<string, readonly string[]>>;
  /** `#domain/` → `src/domain/`. */
  readonly aliases: Readonly<Record<string, string>>;
}

/** Folders that are not in the npm package. */
const NOT_SHIPPED = /^(test|load-tests|\.ci)\//;

/** An import of a file of ours. */
interface Edge extends Import {
  readonly from: string;
  readonly to: string;
}

/** All violations, one line each: file and line, import, rule, what would be right. */
export function checkArchitecture(files: ReadonlyMap<string, string>, table: Table): string[] {
  const sources = [...files].map(([file, text]) => readSource(file, text));
  const known = new Set(files.keys());
  const edges: Edge[] = [];
  const found: string[] = [];
  for (const source of sources) {
    const row = rowOf(source.file, table);
    if (!row) {
      found.push(`${source.file}: in no row of the layer table; add its folder there`);
      continue;
    }
    found.push(...checkStyle(source, row));
    for (const each of source.imports) {
      const to = targetOf(source.file, each.specifier, table);
      if (to === undefined) found.push(...checkPackage(source.file, each, row, table));
      else {
        const edge = { ...each, from: source.file, to };
        edges.push(edge);
        found.push(...checkEdge(edge, row, known, table));
      }
    }
  }
  return [...found, ...checkCycles(edges, table)];
}

/** Owners of packages that do not import them, one line each. */
export function findIdleOwners(files: ReadonlyMap<string, string>, table: Table): string[] {
  const importers = new Map<string, string[]>();
  for (const [file, text] of files) {
    for (const { specifier } of readSource(file, text).imports) {
      const name = packageOf(specifier);
      importers.set(name, [...(importers.get(name) ?? []), file]);
    }
  }
  return Object.entries(table.owners).flatMap(([name, owners]) =>
    owners
      .filter((owner) => importers.get(name)?.some((file) => within(file, owner)) !== true)
      .map((owner) => `${owner} owns package ${name} and does not import it`),
  );
}

/** The row whose path is the longest that holds the file. */
export function rowOf(file: string, table: Table): Row | undefined {
  return table.rows
    .filter((row) => (row.direct === true ? dirname(file) === row.path : within(file, row.path)))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}

function within(file: string, path: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}

function targetOf(file: string, specifier: string, table: Table): string | undefined {
  if (specifier.startsWith('.')) return join(dirname(file), specifier);
  for (const [name, path] of Object.entries(table.aliases)) {
    if (specifier.startsWith(name)) return path + specifier.slice(name.length);
  }
  return undefined;
}

function checkEdge(edge: Edge, row: Row, known: ReadonlySet<string>, table: Table): string[] {
  if (/\.(ts|js)$/.test(edge.to) && !known.has(edge.to)) {
    return [violation(edge, 'no such file', 'the path of a file that is there')];
  }
  const found: string[] = [];
  const target = rowOf(edge.to, table);
  const folder = folderOf(row);
  if (edge.specifier.startsWith('.') && !within(edge.to, folder)) {
    found.push(
      violation(edge, `a relative import that leaves ${folder}`, 'a #folder/file.ts import'),
    );
  }
  if (target === row || row.imports === 'everything') return found;
  if (row.imports.some((path) => within(edge.to, path))) return found;
  if (row.types?.some((path) => within(edge.to, path)) === true) {
    if (!edge.typeOnly) {
      found.push(violation(edge, `${row.path} may import only types of it`, '`import type`'));
    }
    return found;
  }
  return [...found, violation(edge, `${row.path} may not import it`, allowedOf(row))];
}

function checkPackage(file: string, each: Import, row: Row, table: Table): string[] {
  const at = { ...each, from: file };
  if (each.specifier.startsWith('#')) {
    return [violation(at, 'no such subpath', 'one of "imports" in package.json')];
  }
  if (isBuiltin(each.specifier)) {
    if (row.noBuiltins === true) {
      return [violation(at, `${row.path} may not use Node's modules`, 'values by parameter')];
    }
    const prefixed = each.specifier.startsWith('node:');
    return prefixed ? [] : [violation(at, 'a built-in module', `node:${each.specifier}`)];
  }
  const name = packageOf(each.specifier);
  if (row.provided?.includes(name) === true) return [];
  const owners = table.owners[name];
  if (owners === undefined) {
    return [violation(at, `nobody owns package ${name}`, 'an owner in the table of packages')];
  }
  if (row.anyPackage === true || owners.some((path) => within(file, path))) return [];
  return [violation(at, `package ${name} belongs to ${owners.join(', ')}`, 'asking its owner')];
}

function checkStyle(source: Source, row: Row): string[] {
  const at = (line: number): string => `${source.file}:${line}`;
  const found = source.barrels.map(
    (line) => `${at(line)}: export * from: a barrel; expected imports from the file itself`,
  );
  if (row.defaults !== true) {
    const wrong = (line: number): string => `${at(line)}: export default; expected a named export`;
    found.push(...source.defaults.map(wrong));
  }
  if (row.pure === true) {
    for (const { text, line } of source.effects) {
      found.push(`${at(line)}: ${text}: ${row.path} is pure; expected a parameter instead`);
    }
  }
  if (source.file.endsWith('.ts') && !NOT_SHIPPED.test(source.file)) {
    for (const { text, line } of source.paths) {
      found.push(`${at(line)}: '${text}': .js once installed; expected entryUrl of #lib/entry.ts`);
    }
  }
  return found;
}

function checkCycles(edges: readonly Edge[], table: Table): string[] {
  const files = findCycles(edges.map(({ from, to }) => [from, to]));
  const siblings = findCycles(
    edges
      .filter((edge) => rowOf(edge.from, table)?.anyPackage !== true)
      .map(siblingsOf)
      .filter(([from, to]) => from.includes('/') && !(isSource(from) && isSource(to))),
  );
  return [
    ...files.map((cycle) => cycleMessage('files', cycle)),
    ...siblings.map((cycle) => cycleMessage('folders', cycle)),
  ];
}

/** What an import means in the folder that holds both ends: which of its files and folders needs which other. */
function siblingsOf({ from, to }: Edge): [string, string] {
  const [one, other] = [from.split('/'), to.split('/')];
  const depth = one.findIndex((part, at) => part !== other[at]);
  return [one.slice(0, depth + 1).join('/'), other.slice(0, depth + 1).join('/')];
}

function isSource(path: string): boolean {
  return /\.(ts|js)$/.test(path);
}

function cycleMessage(what: string, cycle: readonly string[]): string {
  return `${cycle.join(' → ')}: a cycle of ${what}; expected imports in one direction only`;
}

function violation(at: Import & { from: string }, rule: string, right: string): string {
  return `${at.from}:${at.line}: ${at.specifier}: ${rule}; expected ${right}`;
}

function folderOf(row: Row): string {
  return /\.(ts|js)$/.test(row.path) ? dirname(row.path) : row.path;
}

function allowedOf(row: Row): string {
  const values = row.imports === 'everything' ? [] : row.imports;
  const types = (row.types ?? []).map((path) => `types of ${path}`);
  return `nothing but ${['itself', ...values, ...types].join(', ')}`;
}

function packageOf(specifier: string): string {
  const [scope = '', name = ''] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}
