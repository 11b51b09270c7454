import { describe, expect, test } from 'vitest';
import { parseSelector } from '#knative/metrics-api/selector.ts';

const POD = { app: 'digits', tier: 'b', 'serving.knative.dev/revision': 'digits-v1' };

describe('a label selector', () => {
  test.each([
    ['', true],
    [' ', true],
    ['app=digits', true],
    ['app==digits', true],
    ['app = digits , tier = b', true],
    ['serving.knative.dev/revision=digits-v1', true],
    ['app=digits,tier=a', false],
    ['app!=digits', false],
    ['other!=digits', true],
    ['other=', false],
    ['tier in (a, b)', true],
    ['tier in (a,c),app=digits', false],
    ['tier notin (a,c)', true],
    ['other notin (a,c)', true],
    ['other in (a)', false],
    ['app', true],
    ['!app', false],
    ['! other', true],
    ['toString', false],
  ])('%j of a pod: %s', (text, expected) => {
    expect(parseSelector(text)(POD)).toBe(expected);
  });

  test.each(['app=a=b', 'tier in a', 'a,,b', 'a>1', 'app in (a', '-a'])('%j is refused', (text) => {
    expect(() => parseSelector(text)).toThrow(
      /^labelSelector: found ".*", expected terms such as /,
    );
  });
});
