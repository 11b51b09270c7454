import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeOwnActivator } from '#load-tests/knative/activators.ts';
import { ratioOfQuantiles } from '#load-tests/knative/bootstrap.ts';

describe('our activator beside that of Knative', () => {
  test('has its limits, its environment and its identity, and another name', () => {
    const container = {
      name: 'activator',
      image: 'dev.local/activator:v1',
      resources: { limits: { cpu: '1' } },
      env: [{ name: 'SYSTEM_NAMESPACE', value: 'knative-serving' }],
    };
    const own = makeOwnActivator(
      {
        metadata: { name: 'activator', namespace: 'knative-serving', labels: { app: 'activator' } },
        spec: {
          selector: { matchLabels: { app: 'activator' } },
          template: {
            metadata: { labels: { app: 'activator' } },
            spec: { serviceAccountName: 'activator', containers: [container] },
          },
        },
      },
      'dev.local/rouse-activator:v1',
    );
    const labels = { app: 'activator-rouse' };
    expect(own).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'activator-rouse', namespace: 'knative-serving', labels },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'activator',
            containers: [{ ...container, image: 'dev.local/rouse-activator:v1' }],
          },
        },
      },
    });
  });
});

describe('the interval of a ratio', () => {
  const times = fc.array(fc.double({ min: 1, max: 1000, noNaN: true }), {
    minLength: 5,
    maxLength: 40,
  });
  const seeds = fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { minLength: 7 });

  function rollOf(values: readonly number[]): () => number {
    let at = 0;
    return () => values[at++ % values.length] ?? 0;
  }

  test('has its ends in order, and scales as its sample does', () => {
    fc.assert(
      fc.property(times, times, seeds, (own, other, rolls) => {
        const ratio = ratioOfQuantiles(own, other, 0.5, rollOf(rolls));
        expect(ratio.low).toBeLessThanOrEqual(ratio.high);
        const doubled = ratioOfQuantiles(
          own.map((ms) => ms * 2),
          other,
          0.5,
          rollOf(rolls),
        );
        expect(doubled.value).toBeCloseTo(ratio.value * 2);
        expect(doubled.high).toBeCloseTo(ratio.high * 2);
      }),
      { numRuns: 10 },
    );
  });

  test('is a point where all samples are the same', () => {
    const ratio = ratioOfQuantiles([3, 3, 3], [2, 2], 0.95, Math.random);
    expect(ratio).toEqual({ value: 1.5, low: 1.5, high: 1.5 });
  });
});
