import { describe, expect, test } from 'vitest';
import { decideScaleCarrier, hasBounds, makeBounds } from '#knative/autoscaling.ts';

describe('what carries the bounds', () => {
  test.each([
    ['1.20.3', 'podautoscalers'],
    ['v1.20', 'podautoscalers'],
    ['0.26.0', 'podautoscalers'],
    ['1.21.0', 'revisions'],
    ['v1.23.1', 'revisions'],
    ['2.0.0', 'revisions'],
    ['20260821-98e5ef90', 'revisions'],
    ['devel', 'revisions'],
    [undefined, 'revisions'],
  ] as const)('in Knative %s: %s', (version, carrier) => {
    expect(decideScaleCarrier(version)).toBe(carrier);
  });
});

describe('bounds', () => {
  test.each([
    [{ min: 0, max: 4, desired: 0 }, '0', '4'],
    [{ min: 0, max: 4, desired: 3 }, '3', '4'],
    [{ min: 2, max: 4, desired: 6 }, '4', '4'],
    // Of no use to Knative: a maximum of 0 would be none at all.
    [{ min: 0, max: 0, desired: 0 }, '0', '1'],
  ])('for %o are %s and %s', (wanted, min, max) => {
    const bounds = makeBounds(wanted);
    expect(bounds).toEqual({
      'autoscaling.knative.dev/min-scale': min,
      'autoscaling.knative.dev/max-scale': max,
    });
    expect(hasBounds({ ...bounds, other: 'x' }, bounds)).toBe(true);
    expect(hasBounds({ ...bounds, 'autoscaling.knative.dev/min-scale': '9' }, bounds)).toBe(false);
    expect(hasBounds(undefined, bounds)).toBe(false);
  });
});
