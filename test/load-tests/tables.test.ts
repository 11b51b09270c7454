import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { replaceBetween } from '#load-tests/tables/markers.ts';

const TEXT = 'a\n<!-- cold -->\nold\n<!-- /cold -->\nb\n';

test('what is between the markers is replaced, again and again', () => {
  const once = replaceBetween(TEXT, 'cold', '| $& |');
  expect(once).toBe('a\n<!-- cold -->\n\n| $& |\n\n<!-- /cold -->\nb\n');
  expect(replaceBetween(once, 'cold', '| $& |')).toBe(once);
});

test.each(['', TEXT + TEXT, '<!-- /cold -->\n<!-- cold -->'])('in %j they are missing', (text) => {
  expect(() => replaceBetween(text, 'cold', '')).toThrow(/expected <!-- cold --> and then/);
});

test.each([
  ['load-tests/README.md', ['proxy', 'cold', 'burst', 'crowd', 'scaling', 'knative', 'k6', 'soak']],
  ['README.md', ['proxy', 'cold']],
])('%s has a place for each table', (file, names) => {
  const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
  for (const name of names)
    expect(replaceBetween(text, name, 'x')).toContain(`<!-- ${name} -->\n\nx`);
});
