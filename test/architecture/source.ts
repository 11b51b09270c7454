import { parseSync, Visitor } from 'oxc-parser';

/** What a file imports, and what it does that some folders may not. Lines count from 1. */
export interface Source {
  readonly file: string;
  readonly imports: readonly Import[];
  /** `export * from`, `export default`. */
  readonly barrels: readonly number[];
  readonly defaults: readonly number[];
  /** Clock, randomness, timers, logging, and the like, by name. */
  readonly effects: readonly Found[];
  /** Strings such as './worker.ts' outside of imports: they would be wrong in the built package. */
  readonly paths: readonly Found[];
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** `import type …`, `export type … from`, `import('…').Name` in a type. */
  readonly typeOnly: boolean;
}

interface Found {
  readonly text: string;
  readonly line: number;
}

/** Globals that tell the time, throw dice, wait or talk. */
const EFFECTS =
  /^(Math\.random|Date\.now|Date|performance|crypto|process|console|fetch|set(Timeout|Interval|Immediate)|queueMicrotask|globalThis)$/;

export function readSource(file: string, text: string): Source {
  const { program, errors } = parseSync(file, text);
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`);
  const lineOf = (node: { start: number }): number => text.slice(0, node.start).split('\n').length;
  const imports: Import[] = [];
  const barrels: number[] = [];
  const defaults: number[] = [];
  const effects: Found[] = [];
  const literals: (Found & { start: number })[] = [];
  const specifiers = new Set<number>();

  function note(source: unknown, typeOnly: boolean): void {
    if (!isText(source)) return;
    specifiers.add(source.start);
    imports.push({ specifier: source.value, line: lineOf(source), typeOnly });
  }
  function effect(name: string, node: { start: number }): void {
    if (EFFECTS.test(name)) effects.push({ text: name, line: lineOf(node) });
  }

  new Visitor({
    ImportDeclaration: (node) => note(node.source, node.importKind === 'type'),
    ExportNamedDeclaration: (node) => note(node.source, node.exportKind === 'type'),
    ExportAllDeclaration(node) {
      barrels.push(lineOf(node));
      note(node.source, node.exportKind === 'type');
    },
    ExportDefaultDeclaration: (node) => void defaults.push(lineOf(node)),
    ImportExpression: (node) => note(node.source, false),
    TSImportType: (node) => note(node.source, true),
    Literal(node) {
      if (isText(node)) literals.push({ text: node.value, line: lineOf(node), start: node.start });
    },
    MemberExpression(node) {
      if (node.object.type !== 'Identifier') return;
      const property = node.property.type === 'Identifier' ? node.property.name : '';
      effect(`${node.object.name}.${property}`, node);
      if (!EFFECTS.test(`${node.object.name}.${property}`) && node.object.name !== 'Date') {
        effect(node.object.name, node);
      }
    },
    CallExpression(node) {
      if (node.callee.type === 'Identifier') effect(node.callee.name, node);
    },
    NewExpression(node) {
      if (node.callee.type === 'Identifier') effect(node.callee.name, node);
    },
  }).visit(program);

  const paths = literals.filter(
    ({ text: value, start }) => /^\.{1,2}\/.*\.ts$/.test(value) && !specifiers.has(start),
  );
  return { file, imports, barrels, defaults, effects, paths };
}

function isText(node: unknown): node is { value: string; start: number } {
  return (
    typeof node === 'object' && node !== null && 'value' in node && typeof node.value === 'string'
  );
}
