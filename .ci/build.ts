/**
 * Builds `dist/` for the npm package: Node does not strip types inside node_modules.
 * Every TypeScript file becomes JavaScript by having its types blanked out, so lines and columns stay;
 * everything else (Python servers, samples, install files) is copied. Started by `npm pack` (prepack).
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, dirname, join, sep } from 'node:path';
import { parseSync, Visitor } from 'oxc-parser';

const SHIPPED = ['src', 'activator', 'functions', 'knative', 'policies'];
/** Samples are what a user would write: they are shipped as they are. */
const AS_IS = join('functions', 'samples') + sep;
const LEFT_OUT =
  /(^|[/\\])(__pycache__|node_modules|\.[^/\\]*)([/\\]|$)|\.md$|^src[/\\](rouse|preinstall)\.js$/;

const root = dirname(import.meta.dirname);
const dist = join(root, 'dist');

rmSync(dist, { recursive: true, force: true });
for (const folder of SHIPPED) for (const file of filesOf(folder)) ship(file);
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(makeManifest(), null, 2)}\n`);

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((file) => !LEFT_OUT.test(file));
}

function ship(file: string): void {
  const target = join(dist, file);
  mkdirSync(dirname(target), { recursive: true });
  if (!file.endsWith('.ts') || file.startsWith(AS_IS)) cpSync(join(root, file), target);
  else if (!basename(file).endsWith('.d.ts')) {
    const code = stripTypeScriptTypes(readFileSync(join(root, file), 'utf8'));
    writeFileSync(target.replace(/\.ts$/, '.js'), renameImports(target, code));
  }
}

/** `./file.ts` becomes `./file.js`. `#folder/file.ts` stays: the manifest beside it maps it. */
function renameImports(file: string, code: string): string {
  const ends: number[] = [];
  const note = (source: unknown): void => {
    if (!isLiteral(source)) return;
    if (source.value.startsWith('.') && source.value.endsWith('.ts')) ends.push(source.end);
  };
  const { program, errors } = parseSync(file.replace(/\.ts$/, '.js'), code);
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`);
  new Visitor({
    ImportDeclaration: (node) => note(node.source),
    ExportNamedDeclaration: (node) => note(node.source),
    ExportAllDeclaration: (node) => note(node.source),
    ImportExpression: (node) => note(node.source),
  }).visit(program);
  return ends
    .toSorted((a, b) => b - a)
    .reduce((text, end) => `${text.slice(0, end - 3)}js${text.slice(end - 1)}`, code);
}

function isLiteral(node: unknown): node is { value: string; end: number } {
  return (
    typeof node === 'object' && node !== null && 'value' in node && typeof node.value === 'string'
  );
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly imports: Readonly<Record<string, string>>;
}

/** Package scope of `dist/`: the same `#folder/…` names as in a checkout, ending in `.js`. */
function makeManifest(): object {
  const { name, version, imports }: Manifest = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  const built = Object.entries(imports)
    .filter(([from]) => from !== '#test/*')
    .flatMap(([from, to]) => [
      [`${from}.ts`, `${to}.js`],
      [from, to],
    ]);
  return { name, version, private: true, type: 'module', imports: Object.fromEntries(built) };
}
