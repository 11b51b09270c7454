import { expect, test } from 'vitest';
import { buildArgs, cacheKey, type GoModule, MODULES } from './programs.ts';

const module: GoModule = {
  folder: 'some',
  programs: { one: 'example.com/some/cmd/one' },
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

test('the cache forgets when anything that goes into a program changes', () => {
  const files = [{ name: 'go.mod', text: 'require a v1' }];
  const key = cacheKey(module, files, 'go1.26');
  expect(key).toMatch(/^some-[0-9a-f]{12}$/);
  expect(cacheKey(module, files, 'go1.26')).toBe(key);
  const others = [
    cacheKey(module, [{ name: 'go.mod', text: 'require a v2' }], 'go1.26'),
    cacheKey(module, files, 'go1.27'),
    cacheKey({ ...module, variables: {} }, files, 'go1.26'),
  ];
  expect(new Set([key, ...others]).size).toBe(4);
});

test('no two modules build a program of the same name', () => {
  const names = MODULES.flatMap(({ programs }) => Object.keys(programs));
  expect(new Set(names).size).toBe(names.length);
});
