import { expect, test } from 'vitest';
import { mergeMetrics } from '#src/metrics-text.ts';

test('a family of two texts has its comments once, and its samples together', () => {
  const one = '# HELP a what it is\n# TYPE a counter\na{x="1"} 1\n\n# TYPE b gauge\nb 2\n';
  const two = '# TYPE c gauge\nc 3\n# TYPE a counter\na{x="2"} 4\n';
  expect(mergeMetrics([one, two])).toBe(
    '# HELP a what it is\n# TYPE a counter\na{x="1"} 1\na{x="2"} 4\n# TYPE b gauge\nb 2\n# TYPE c gauge\nc 3\n',
  );
});

test('a series of two data planes is their sum', () => {
  const text = '# TYPE a counter\na{x="1"} 1.5\na_inf{le="+Inf"} 2\n';
  expect(mergeMetrics([text, text])).toBe('# TYPE a counter\na{x="1"} 3\na_inf{le="+Inf"} 4\n');
});

test('nothing gives an empty text', () => {
  expect(mergeMetrics(['', '\n'])).toBe('\n');
});
