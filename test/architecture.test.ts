import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkArchitecture, findIdleOwners, rowOf, type Table } from './architecture/check.ts';
import { findCycles } from './architecture/cycles.ts';

/**
 * The layer table. This is its only place: to learn what a folder may touch, read it here; to change the
 * architecture, change it here. What a row does not name, it may not import.
 */
const DOMAIN = 'src/domain';
const LIB = 'src/lib';
const TABLE: Table = {
  rows: [
    {
      path: DOMAIN,
      holds: 'the nouns: schemas, types, pure helpers on them',
      imports: ['src/lib/fault.ts'],
      noBuiltins: true,
    },
    { path: LIB, holds: 'clock, fault, loop, log: what every part needs', imports: [] },
    {
      path: 'policies',
      holds: 'pure decisions, each with its reason',
      imports: [DOMAIN, 'src/lib/backoff.ts'],
      noBuiltins: true,
      pure: true,
    },
    { path: 'src/runtime', holds: 'what runs instances', imports: [DOMAIN, LIB] },
    { path: 'src/store', holds: 'what is remembered; artifacts', imports: [DOMAIN, LIB] },
    { path: 'src/bus', holds: 'signals between data plane and control', imports: [DOMAIN, LIB] },
    {
      path: 'src/batch',
      holds: 'what a job does: rows in, requests, rows out',
      imports: [DOMAIN, LIB],
    },
    {
      path: 'knative',
      holds: 'Kubernetes and Knative Serving: runtime, activator, ingress, Model objects, install',
      imports: [DOMAIN, LIB],
      types: ['src/runtime', 'src/bus'],
    },
    { path: 'functions', holds: 'model servers and inspection', imports: [DOMAIN, LIB] },
    {
      path: 'functions/samples',
      holds: 'models as a user would write them',
      imports: [],
      defaults: true,
    },
    {
      path: 'functions/function/rehearsed',
      holds: 'the model that what stands by loads first',
      imports: [],
      defaults: true,
    },
    {
      path: 'activator',
      holds: 'the data plane',
      imports: [DOMAIN, LIB, 'policies', 'src/bus'],
    },
    {
      path: 'src/control',
      holds: 'use cases and loops',
      imports: [DOMAIN, LIB, 'policies'],
      types: ['src/runtime', 'src/store', 'src/bus'],
    },
    {
      path: 'src/simulate',
      holds: 'traces through the policies on a virtual clock',
      imports: [DOMAIN, LIB, 'policies'],
    },
    {
      path: 'src/api',
      holds: 'the control API',
      imports: [DOMAIN, LIB, 'src/control'],
    },
    { path: 'src/cli', holds: 'the command line', imports: [DOMAIN, LIB] },
    {
      path: 'src/serve',
      holds: 'composition: the platform in one process or several',
      imports: 'everything',
    },
    {
      path: 'src',
      direct: true,
      holds: 'the programs: the command, the activator, the ingress',
      imports: 'everything',
    },
    { path: '.ci', holds: 'the build of the npm package', imports: [] },
    { path: 'test', holds: 'tests', imports: 'everything', anyPackage: true, defaults: true },
    { path: 'load-tests', holds: 'measurements', imports: 'everything', anyPackage: true },
    {
      path: 'load-tests/k6',
      holds: 'scripts that k6 runs',
      imports: 'everything',
      provided: ['k6'],
      // Its modules have no other exports.
      defaults: true,
    },
    {
      path: 'load-tests/cold/models',
      holds: 'models as a user would write them',
      imports: [],
      defaults: true,
    },
  ],
  owners: {
    // Schemas stand where values come in: nouns, requests, rows.
    zod: [DOMAIN, 'src/api', 'src/store'],
    pino: [LIB],
    'pino-pretty': [LIB],
    'prom-client': ['src/control'],
    yaml: [LIB],
    hono: ['src/api'],
    '@hono/node-server': ['src/api', 'functions'],
    '@hono/zod-openapi': ['src/api'],
    '@duckdb/node-api': ['src/batch', 'test'],
    '@duckdb/node-bindings': ['src/batch'],
    'apache-arrow': ['src/batch', 'test'],
    'lz4-napi': ['src/batch', 'test'],
    commander: ['src/cli'],
    croner: [DOMAIN],
    'onnxruntime-node': ['functions'],
    '@bufbuild/protobuf': ['functions', 'activator', 'knative'],
    'oxc-parser': ['.ci', 'test'],
    vitest: ['test'],
    'fast-check': ['test'],
    ajv: ['test'],
    openai: ['test'],
    '@readme/openapi-parser': ['test'],
    ws: ['knative', 'test', 'load-tests'],
    '@grpc/grpc-js': ['test', 'load-tests'],
    '@kubernetes/client-node': ['knative/api/client.ts'],
  },
  aliases: aliasesOf(),
};

/** Needed by name only: programs that scripts start, and types. */
const NOT_IMPORTED = [
  'node',
  'knip',
  'oxfmt',
  'oxlint',
  'oxlint-tsgolint',
  'typescript',
  'vite',
  '@types/node',
  '@vitest/coverage-v8',
  '@types/ws',
];

const ROOT = join(import.meta.dirname, '..');
const FOLDERS = ['src', 'activator', 'functions', 'knative', 'policies', 'load-tests', 'test'];

function manifest(): {
  imports: Record<string, string>;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
} {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
}

function aliasesOf(): Record<string, string> {
  const pairs = Object.entries(manifest().imports);
  return Object.fromEntries(
    pairs.map(([name, path]) => [name.replace(/\*$/, ''), path.replace(/^\.\/|\*$/g, '')]),
  );
}

function ownFiles(): Map<string, string> {
  const patterns = [...FOLDERS, '.ci'].map((folder) => `${folder}/**/*.{ts,js,mjs,cjs}`);
  const paths = globSync(patterns, { cwd: ROOT, exclude: ['**/node_modules/**'] });
  return new Map(
    paths.toSorted().map((path) => [path, readFileSync(join(ROOT, path), 'utf8')] as const),
  );
}

describe('this repository', () => {
  test('obeys the layer table', () => {
    const files = ownFiles();
    expect(files.size).toBeGreaterThan(20);
    expect(checkArchitecture(files, TABLE)).toEqual([]);
  });

  test('every package has an owner, and the table names no package that is not there', () => {
    const { dependencies, devDependencies } = manifest();
    const installed = Object.keys({ ...dependencies, ...devDependencies });
    expect(installed.toSorted()).toEqual(
      [...Object.keys(TABLE.owners), ...NOT_IMPORTED].toSorted(),
    );
  });

  test('each owner of a package imports it', () => {
    expect(findIdleOwners(ownFiles(), TABLE)).toEqual([]);
  });
});

/** Checks a few files in memory, together with the files that they may need. */
function check(files: Record<string, string>): string[] {
  const all = { 'src/domain/noun.ts': 'export interface Noun {}', ...files };
  return checkArchitecture(new Map(Object.entries(all)), TABLE);
}

const importing = (specifier: string): string => `import { a } from '${specifier}';`;

describe('what goes the wrong way is found', () => {
  test.each([
    ['src/domain/a.ts', '#runtime/b.ts', 'src/runtime/b.ts'],
    ['src/lib/a.ts', '#domain/noun.ts', 'src/domain/noun.ts'],
    ['policies/a.ts', '#lib/b.ts', 'src/lib/b.ts'],
    ['src/runtime/a.ts', '#store/b.ts', 'src/store/b.ts'],
    ['src/store/a.ts', '#bus/b.ts', 'src/bus/b.ts'],
    ['src/control/a.ts', '#activator/b.ts', 'activator/b.ts'],
    ['activator/a.ts', '#control/b.ts', 'src/control/b.ts'],
    ['functions/a.ts', '#runtime/b.ts', 'src/runtime/b.ts'],
    ['functions/samples/a.ts', '#lib/b.ts', 'src/lib/b.ts'],
    ['src/api/a.ts', '#store/b.ts', 'src/store/b.ts'],
    ['src/cli/a.ts', '#control/b.ts', 'src/control/b.ts'],
    ['src/lib/a.ts', '#src/main.ts', 'src/main.ts'],
    ['src/lib/a.ts', '#test/b.ts', 'test/b.ts'],
    ['src/lib/a.ts', '../../load-tests/b.ts', 'load-tests/b.ts'],
  ])('%s importing %s', (from, specifier, to) => {
    const found = check({ [from]: importing(specifier), [to]: 'export const a = 1;' });
    expect(found.join('\n')).toContain(`${from}:1: ${specifier}: `);
    expect(found.join('\n')).toMatch(/may not import it; expected nothing but itself/);
  });

  test.each([
    ['policies/a.ts', '#domain/noun.ts', 'src/domain/noun.ts'],
    ['src/domain/a.ts', '#lib/fault.ts', 'src/lib/fault.ts'],
    ['activator/a.ts', '#policies/b.ts', 'policies/b.ts'],
    ['src/main.ts', '#activator/b.ts', 'activator/b.ts'],
    ['test/a.ts', '#store/b.ts', 'src/store/b.ts'],
    ['load-tests/a.ts', '#test/b.ts', 'test/b.ts'],
  ])('%s may import %s', (from, specifier, to) => {
    expect(check({ [from]: importing(specifier), [to]: 'export const a = 1;' })).toEqual([]);
  });

  test('values where only types are allowed', () => {
    const store = { 'src/store/b.ts': 'export type T = 1;' };
    for (const text of [
      "import type { T } from '#store/b.ts';",
      "export type { T } from '#store/b.ts';",
      "type U = import('#store/b.ts').T;",
    ]) {
      expect(check({ ...store, 'src/control/a.ts': text }), text).toEqual([]);
    }
    for (const text of [
      "import { type T } from '#store/b.ts';",
      "import '#store/b.ts';",
      "export { T } from '#store/b.ts';",
      "await import('#store/b.ts');",
    ]) {
      expect(check({ ...store, 'src/control/a.ts': text }), text).toEqual([
        'src/control/a.ts:1: #store/b.ts: src/control may import only types of it; expected `import type`',
      ]);
    }
  });

  test.each(["import type { T } from '#cli/b.ts';", "type U = import('#cli/b.ts').T;"])(
    'types too: %s',
    (text) => {
      const found = check({ 'src/api/a.ts': text, 'src/cli/b.ts': 'export type T = 1;' });
      expect(found).toHaveLength(1);
    },
  );

  test('a relative import that leaves its folder, even where the direction is right', () => {
    const found = check({ 'src/api/a.ts': importing('../domain/noun.ts') });
    expect(found).toEqual([
      'src/api/a.ts:1: ../domain/noun.ts: a relative import that leaves src/api; expected a #folder/file.ts import',
    ]);
  });

  test('an import of nothing, an unknown subpath, a file in no row', () => {
    expect(check({ 'src/api/a.ts': importing('./gone.ts') })[0]).toContain('no such file');
    expect(check({ 'src/api/a.ts': importing('#nowhere/b.ts') })[0]).toContain('no such subpath');
    expect(check({ 'src/new/a.ts': '' })[0]).toContain('in no row of the layer table');
  });

  test('a cycle of files, type imports included', () => {
    const found = check({
      'src/lib/a.ts': "import type { B } from './b.ts';",
      'src/lib/b.ts': "import { c } from './c.ts';",
      'src/lib/c.ts': "export type { A } from './a.ts';",
    });
    expect(found).toEqual([
      'src/lib/a.ts → src/lib/b.ts → src/lib/c.ts → src/lib/a.ts: a cycle of files; expected imports in one direction only',
    ]);
  });

  test('a cycle of folders without a cycle of files', () => {
    const found = check({
      'src/lib/x/a.ts': importing('../y/b.ts'),
      'src/lib/y/b.ts': '',
      'src/lib/y/c.ts': importing('../x/d.ts'),
      'src/lib/x/d.ts': '',
    });
    expect(found).toEqual([
      'src/lib/x → src/lib/y → src/lib/x: a cycle of folders; expected imports in one direction only',
    ]);
  });

  test('a cycle of a folder and a file beside it', () => {
    const found = check({
      'src/lib/x/a.ts': importing('../b.ts'),
      'src/lib/b.ts': importing('./x/c.ts'),
      'src/lib/x/c.ts': '',
    });
    expect(found).toEqual([
      'src/lib/b.ts → src/lib/x → src/lib/b.ts: a cycle of folders; expected imports in one direction only',
    ]);
  });

  test('a package outside of the folder that owns it', () => {
    const found = check({ 'src/cli/a.ts': importing('@hono/node-server/conninfo') });
    expect(found[0]).toContain('package @hono/node-server belongs to src/api, functions');
    expect(check({ 'src/api/a.ts': importing('@hono/zod-openapi') })).toEqual([]);
    expect(check({ 'test/a.ts': importing('hono/client') })).toEqual([]);
    for (const file of ['src/api/a.ts', 'test/a.ts']) {
      expect(check({ [file]: importing('left-pad') })[0]).toContain('nobody owns package left-pad');
    }
  });

  test('an owner that does not import its package', () => {
    const files = { 'src/lib/a.ts': importing('yaml'), 'src/library/b.ts': importing('zod/mini') };
    const table = { ...TABLE, owners: { yaml: [LIB], zod: [LIB, 'src/library'], ws: ['test'] } };
    expect(findIdleOwners(new Map(Object.entries(files)), table)).toEqual([
      'src/lib owns package zod and does not import it',
      'test owns package ws and does not import it',
    ]);
  });

  test('what the program that runs a file brings, elsewhere', () => {
    expect(check({ 'load-tests/k6/a.ts': importing('k6/http') })).toEqual([]);
    expect(check({ 'load-tests/a.ts': importing('k6/http') })[0]).toContain('nobody owns');
  });

  test("Node's modules where there is no I/O, and without their prefix", () => {
    expect(check({ 'policies/a.ts': importing('node:fs') })[0]).toContain("may not use Node's");
    expect(check({ 'src/domain/a.ts': importing('node:os') })[0]).toContain("may not use Node's");
    expect(check({ 'src/lib/a.ts': importing('fs') })[0]).toContain('expected node:fs');
  });

  test.each([
    'Date.now()',
    'Math.random()',
    'new Date()',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'queueMicrotask(() => {})',
    'console.log(1)',
    'performance.now()',
    'process.env.HOME',
    "fetch('http://x')",
    'globalThis.Date.now()',
  ])('policies that do more than decide: %s', (code) => {
    expect(check({ 'policies/a.ts': `export const a = () => ${code};` }).join()).toContain(
      'is pure',
    );
    expect(check({ 'src/lib/a.ts': `export const a = () => ${code};` })).toEqual([]);
  });

  test('Math is not forbidden, nor is a date that is given', () => {
    const code = 'export const a = (n: number, d: Date) => Math.max(n, d.getTime());';
    expect(check({ 'policies/a.ts': code })).toEqual([]);
  });

  test('default exports and barrels', () => {
    expect(check({ 'src/lib/a.ts': 'export default 1;' })[0]).toContain('expected a named export');
    expect(check({ 'functions/samples/a.ts': 'export default 1;' })).toEqual([]);
    const barrel = check({ 'src/lib/a.ts': "export * from './b.ts';", 'src/lib/b.ts': '' });
    expect(barrel[0]).toContain('a barrel');
  });

  test('a path to a TypeScript file, which an installed package does not have', () => {
    const code = "export const a = new URL('./worker.ts', import.meta.url);";
    expect(check({ 'src/lib/a.ts': code })[0]).toContain('expected entryUrl');
    expect(check({ 'test/a.ts': code })).toEqual([]);
  });
});

test('the longest row applies, and new folders in src are in none', () => {
  expect(rowOf('activator/gate/gate.ts', TABLE)?.path).toBe('activator');
  expect(rowOf('functions/samples/x/y.ts', TABLE)?.path).toBe('functions/samples');
  expect(rowOf('src/main.ts', TABLE)?.path).toBe('src');
  expect(rowOf('src/other/main.ts', TABLE)).toBeUndefined();
});

test('cycles: none in a tree, one in a loop to itself, all of them where they share files', () => {
  expect(
    findCycles([
      ['a', 'b'],
      ['a', 'c'],
      ['b', 'd'],
      ['c', 'd'],
    ]),
  ).toEqual([]);
  expect(findCycles([['a', 'a']])).toEqual([['a', 'a']]);
  expect(
    findCycles([
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['b', 'a'],
    ]),
  ).toEqual([
    ['a', 'b', 'a'],
    ['c', 'a', 'b', 'c'],
  ]);
});
