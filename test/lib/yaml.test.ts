import { expect, test } from 'vitest';
import { parseYaml } from '#lib/yaml.ts';

const nested = (levels: number): string => `${'['.repeat(levels)}1${']'.repeat(levels)}`;
const block = (levels: number): string =>
  Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}a:\n`).join('');

test('what is nested as deep as it may be is read', () => {
  expect(parseYaml(nested(64), 'file').map(({ value }) => JSON.stringify(value))).toEqual([
    nested(64),
  ]);
});

test.each([
  ['lists', nested(65)],
  ['very many lists', nested(50_000)],
  ['lists without an end', '['.repeat(100_000)],
  ['lists as keys', '? ['.repeat(1000)],
  ['keys', block(500)],
  ['lists in lines', `${'- '.repeat(50_000)}1`],
  ['maps', `${'{a: '.repeat(10_000)}1${'}'.repeat(10_000)}`],
])('what is nested deeper is refused in plain words, with its line: %s', (_, text) => {
  expect(() => parseYaml(`# first line\n${text}`, 'file')).toThrow(
    /^file:\d+: more than 64 levels of lists and keys$/,
  );
});

test('a deep document in a file of several is found', () => {
  expect(() => parseYaml(`a: 1\n---\n${nested(100)}`, 'file')).toThrow(/^file:3: more than 64/);
});
