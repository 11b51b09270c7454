import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
/** A repository is cloned by everybody; a model of a sample must stay small. */
const MOST_BYTES = 2 ** 20;

/** What no file of the project may say. The brackets keep this file from saying it. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/\/(wor[k]|hom[e]|roo[t]|User[s])\/[a-z]/, 'a path of one machine'],
  [/\.\.\/share[d]\b/, 'a path outside of the repository'],
  [/\b(TOD[O]|FIXM[E]|XX[X]|HAC[K])\b/, 'work that is left open'],
];

/** Files that git knows or would take. */
function ownFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  return listed
    .split('\0')
    .filter(
      (path) => path !== '' && statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile(),
    );
}

/** What a text says that it may not, with the line. */
function findings(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      FORBIDDEN.filter(([pattern]) => pattern.test(line)).map(
        ([, what]) => `${path}:${index + 1}: ${what}: ${line.trim().slice(0, 100)}`,
      ),
    );
}

describe('the tree', () => {
  const files = ownFiles();

  test('holds no file larger than 1 MiB', () => {
    expect(files.length).toBeGreaterThan(50);
    const large = files.filter((path) => statSync(join(ROOT, path)).size > MOST_BYTES);
    expect(large).toEqual([]);
  });

  test('says nothing of the place where it was written, and leaves nothing open', () => {
    const found = files
      .filter((path) => path !== 'package-lock.json')
      .map((path) => ({ path, bytes: readFileSync(join(ROOT, path)) }))
      .filter(({ bytes }) => !bytes.includes(0))
      .flatMap(({ path, bytes }) => findings(path, bytes.toString('utf8')));
    expect(found).toEqual([]);
  });

  test('lists each decision in order, and no other', () => {
    const list = readFileSync(join(ROOT, 'docs/decisions/README.md'), 'utf8');
    const listed = Array.from(list.matchAll(/\]\((\d{4}-[a-z0-9-]+\.md)\)/g), ([, name]) => name);
    const there = files
      .filter((path) => /^docs\/decisions\/\d{4}-/.test(path))
      .map((path) => path.slice('docs/decisions/'.length));
    expect(there.length).toBeGreaterThan(15);
    expect(listed).toEqual(there.toSorted());
  });

  test('names each section of its README at the beginning, in order', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [, list = ''] = /\nTo read: ([^]*?)\n\n/.exec(readme) ?? [];
    const named = Array.from(list.matchAll(/\]\(#([a-z-]+)\)/g), ([, anchor]) => anchor);
    const sections = Array.from(readme.matchAll(/^## (.*)$/gm), ([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^a-z ]/g, '')
        .replaceAll(' ', '-'),
    );
    expect(named).toEqual(sections.filter((section) => section !== 'two-commands'));
  });

  test('locks packages by content, not by the address of a registry', () => {
    const { packages }: { packages: Record<string, Record<string, unknown>> } = JSON.parse(
      readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
    );
    const locked = Object.entries(packages).filter(([path]) => path !== '');
    expect(locked.length).toBeGreaterThan(100);
    const withAddress = locked.filter(([, row]) => 'resolved' in row).map(([path]) => path);
    const without = locked.filter(([, row]) => !('integrity' in row)).map(([path]) => path);
    expect({ withAddress, without }).toEqual({ withAddress: [], without: [] });
  });

  test('locks the tools for every platform that they name', () => {
    // Otherwise `npm ci` finds package.json and the lock file out of step.
    const { packages }: { packages: Record<string, { optionalDependencies?: object }> } =
      JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
    const missing = Object.values(packages)
      .flatMap((row) => Object.keys(row.optionalDependencies ?? {}))
      .filter(
        (name) => !Object.keys(packages).some((path) => path.endsWith(`node_modules/${name}`)),
      );
    expect(missing).toEqual([]);
  });

  test('states every version exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    );
    const versions = Object.entries({ ...dependencies, ...devDependencies });
    expect(
      versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-r\.\d+)?$/.test(String(version))),
    ).toEqual([]);
  });
});

test.each([
  ['see /wor', 'k/main/x'],
  ['cd /roo', 't/x'],
  ['../share', 'd/design'],
  ['// TOD', 'O: later'],
  ['# FIXM', 'E'],
])('%s%s is found', (...halves) => {
  expect(findings('a.ts', `one\n${halves.join('')}\n`)).toHaveLength(1);
});

test.each(['networks/x', 'a framework/module', 'shared/design', 'todos'])('%s is not', (line) => {
  expect(findings('a.ts', line)).toEqual([]);
});
