import { expect, test } from 'vitest';
import {
  buildArgs,
  cacheKey,
  CLUSTER_PROGRAMS,
  type GoModule,
  MODULES,
  MORE_IMAGES,
} from './programs.ts';

const module: GoModule = {
  folder: 'some',
  programs: { one: 'example.com/some/cmd/one', two: 'example.com/some/cmd/two' },
  suites: { tests: 'example.com/some/test' },
  variables: { 'example.com/some.version': 'v1.2.3' },
};

test('a program is built from its package, with the variables of its module', () => {
  expect(buildArgs(module, 'one', '/cache/one')).toEqual([
    'build',
    '-mod=readonly',
    '-p',
    '2',
    '-trimpath',
    '-ldflags',
    '-s -w -X example.com/some.version=v1.2.3',
    '-o',
    '/cache/one',
    'example.com/some/cmd/one',
  ]);
});

test('a suite is the tests of a package as a program', () => {
  const args = buildArgs(module, 'tests', '/cache/tests');
  expect(args.slice(0, 4)).toEqual(['test', '-c', '-tags', 'e2e']);
  expect(args.at(-1)).toBe('example.com/some/test');
});

test('the cache forgets when anything that goes into a program changes', () => {
  const files = [{ name: 'go.mod', text: 'require a v1' }];
  const key = cacheKey(module, 'one', files, 'go1.26');
  expect(key).toMatch(/^some-[0-9a-f]{12}$/);
  const more = { ...module, suites: {} };
  expect(cacheKey(more, 'one', files, 'go1.26')).toBe(key);
  const others = [
    cacheKey(module, 'one', [{ name: 'go.mod', text: 'require a v2' }], 'go1.26'),
    cacheKey(module, 'one', files, 'go1.27'),
    cacheKey({ ...module, variables: {} }, 'one', files, 'go1.26'),
    cacheKey(module, 'two', files, 'go1.26'),
  ];
  expect(new Set([key, ...others]).size).toBe(5);
});

test('no two modules build a program of the same name', () => {
  const programs = MODULES.flatMap((each) => Object.keys(each.programs));
  const suites = MODULES.flatMap((each) => Object.keys(each.suites ?? {}));
  const names = [...programs, ...suites];
  expect(new Set(names).size).toBe(names.length);
  const wanted = [...CLUSTER_PROGRAMS, ...MORE_IMAGES];
  expect(wanted.filter((name) => !programs.includes(name))).toEqual([]);
});
