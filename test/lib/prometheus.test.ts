import { expect, test } from 'vitest';
import { addLabels, mergeMetrics } from '#lib/prometheus.ts';

test('a family of two texts has its comments once, and its samples together', () => {
  const one = '# HELP a what it is\n# TYPE a counter\na{x="1"} 1\n\n# TYPE b gauge\nb 2\n';
  const two = '# TYPE c gauge\nc 3\n# TYPE a counter\na{x="2"} 4\n';
  expect(mergeMetrics([one, two])).toBe(
    '# HELP a what it is\n# TYPE a counter\na{x="1"} 1\na{x="2"} 4\n# TYPE b gauge\nb 2\n# TYPE c gauge\nc 3\n',
  );
});

test('values stay as they were written', () => {
  const text = '# TYPE a counter\na{x="1"} 1.50\na{x="2"} +Inf\n';
  expect(mergeMetrics([text])).toBe(text);
});

test('labels come before those that a sample has, and comments have none', () => {
  const text = '# HELP a what {it} is\n# TYPE a counter\na{x="}{"} 1.5\n\nb 2\n';
  expect(addLabels(text, 'w="1"')).toBe(
    '# HELP a what {it} is\n# TYPE a counter\na{w="1",x="}{"} 1.5\n\nb{w="1"} 2\n',
  );
});

test('nothing gives an empty text', () => {
  expect(mergeMetrics(['', '\n'])).toBe('\n');
  expect(addLabels('', 'w="1"')).toBe('');
});
