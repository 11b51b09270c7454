import { describe, expect, test } from 'vitest';
import {
  decideScaleCarrier,
  isSteered,
  makeSteering,
  type PodsState,
} from '#knative/manifests/autoscaling.ts';

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

describe('what steers a Revision', () => {
  const of = (name: string): string => `autoscaling.knative.dev/${name}`;

  test.each([
    [{ min: 0, max: 4, desired: 0 }, '0', '4'],
    [{ min: 0, max: 4, desired: 3 }, '3', '4'],
    [{ min: 2, max: 4, desired: 6 }, '4', '4'],
    // Of no use to Knative: a maximum of 0 would be none at all.
    [{ min: 0, max: 0, desired: 0 }, '0', '1'],
  ])('for %o are the bounds %s and %s', (wanted, min, max) => {
    const steering = makeSteering(wanted, 'ready', 'kpa');
    expect(steering).toMatchObject({ [of('min-scale')]: min, [of('max-scale')]: max });
    expect(steering).not.toHaveProperty([of('target-utilization-percentage')]);
  });

  test.each<[PodsState, number, unknown, unknown]>([
    ['none', 0, '-1', null],
    ['none', 1, '-1', null],
    // It keeps what it has.
    ['starting', 1, undefined, null],
    ['starting', 0, undefined, '6s'],
    ['ready', 1, null, null],
    ['ready', 0, null, '6s'],
  ])('with pods %s and %i wanted: burst capacity %s, window %s', (pods, desired, burst, window) => {
    const steering = makeSteering({ min: 0, max: 4, desired }, pods, 'kpa');
    expect(steering[of('target-burst-capacity')]).toBe(burst);
    expect(steering[of('window')]).toBe(window);
  });

  test.each([
    [0.7, '70'],
    [1, '100'],
    [0.001, '1'],
    [0.29, '29'],
  ])('a target of %d is %s percent', (target, percent) => {
    const steering = makeSteering({ min: 0, max: 4, desired: 1, target }, 'ready', 'kpa');
    expect(steering[of('target-utilization-percentage')]).toBe(percent);
  });

  test.each([
    [{ min: 2, max: 4, desired: 3 }, '2', '4'],
    [{ min: 0, max: 4, desired: 0 }, '1', '4'],
    [{ min: 0, max: 0, desired: 0 }, '1', '1'],
  ])(
    'a HorizontalPodAutoscaler, for %o, gets the bounds %s and %s and nothing else',
    (wanted, min, max) => {
      const steering = { [of('min-scale')]: min, [of('max-scale')]: max };
      for (const pods of ['none', 'starting', 'ready'] as const) {
        expect(makeSteering({ ...wanted, target: 0.7 }, pods, 'hpa')).toEqual(steering);
      }
    },
  );

  test('is there when all of it is, and nothing that shall not be set', () => {
    const steering = { a: '1', b: null };
    expect(isSteered({ a: '1', other: 'x' }, steering)).toBe(true);
    expect(isSteered({ a: '2' }, steering)).toBe(false);
    expect(isSteered({ a: '1', b: '1' }, steering)).toBe(false);
    expect(isSteered(undefined, steering)).toBe(false);
    expect(isSteered(undefined, { b: null })).toBe(true);
  });
});
