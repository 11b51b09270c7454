import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Asked,
  type MetricSource,
  makeModelValues,
  makePodValues,
} from '#knative/metrics-api/values.ts';
import type { Pod } from '#knative/api/objects.ts';

const NOW = Date.UTC(2030, 0, 1, 12);
const ALL: Asked = { namespace: 'shop', name: undefined, selects: () => true };

interface PodState {
  readonly namespace?: string;
  readonly phase?: string;
  readonly deletionTimestamp?: string;
}

function pod(name: string, revision: string, state: PodState = {}): Pod {
  const { namespace = 'shop', phase = 'Running', deletionTimestamp } = state;
  const labels = { 'rouse.dev/model': 'digits', 'rouse.dev/revision': revision };
  const ending = deletionTimestamp === undefined ? {} : { deletionTimestamp };
  return { metadata: { namespace, name, labels, ...ending }, status: { phase } };
}

function sourceOf(wanted: Record<string, number>, pods: readonly Pod[]): MetricSource {
  return { wanted: () => new Map(Object.entries(wanted)), pods: () => pods };
}

const shown = (source: MetricSource, asked = ALL): Record<string, string> =>
  Object.fromEntries(
    makePodValues(source, asked, NOW).map((each) => [each.describedObject.name, each.value]),
  );

describe('of pods', () => {
  test('each stands for its share of what is wanted of its revision', () => {
    const pods = [pod('a', 'v1'), pod('b', 'v1'), pod('c', 'v2')];
    const source = sourceOf({ 'shop/digits/v1': 5, 'shop/digits/v2': 1 }, pods);
    expect(shown(source)).toEqual({ a: '2499m', b: '2499m', c: '999m' });
    expect(shown(source, { ...ALL, name: 'c' })).toEqual({ c: '999m' });
    const isSecond: Asked['selects'] = (labels) => labels['rouse.dev/revision'] === 'v2';
    expect(shown(source, { ...ALL, selects: isSecond })).toEqual({ c: '999m' });
  });

  test('those that an autoscaler does not count have none, and take no share', () => {
    const deletionTimestamp = '2030-01-01T00:00:00Z';
    const pods = [
      pod('running', 'v1'),
      pod('pending', 'v1', { phase: 'Pending' }),
      pod('failed', 'v1', { phase: 'Failed' }),
      pod('ending', 'v1', { deletionTimestamp }),
      pod('elsewhere', 'v1', { namespace: 'other' }),
    ];
    expect(shown(sourceOf({ 'shop/digits/v1': 3 }, pods))).toEqual({ running: '2999m' });
  });

  test('nothing is said of what nothing was ordered of', () => {
    expect(shown(sourceOf({}, [pod('a', 'v1')]))).toEqual({});
    expect(shown(sourceOf({ 'shop/digits/v1': 0 }, [pod('a', 'v1')]))).toEqual({ a: '0m' });
  });

  test('whatever is wanted, a HorizontalPodAutoscaler comes to exactly that', () => {
    const most = { min: 1, max: 300 };
    fc.assert(
      fc.property(fc.integer(most), fc.integer(most), (wanted, count) => {
        const pods = Array.from({ length: count }, (_, index) => pod(`p${index}`, 'v1'));
        const values = Object.values(shown(sourceOf({ 'shop/digits/v1': wanted }, pods)));
        expect(countedBy(values)).toBe(wanted);
      }),
      { numRuns: 100 },
    );
  });
});

/** As `calcPlainMetricReplicas` of Kubernetes counts for a target of 1, outside of its tolerance. */
function countedBy(values: readonly string[]): number {
  const milli = values.map((value) => Number(value.slice(0, -1)));
  const mean = Math.floor(milli.reduce((sum, each) => sum + each, 0) / milli.length);
  return Math.ceil((mean / 1000) * milli.length);
}

describe('of a model', () => {
  const source = sourceOf(
    { 'shop/digits/v1': 3, 'shop/digits/v2': 1, 'shop/digits2/v1': 7, 'other/digits/v1': 9 },
    [],
  );

  test('it is what is wanted of all its revisions', () => {
    expect(makeModelValues(source, { namespace: 'shop', name: 'digits' }, NOW)).toEqual([
      {
        describedObject: {
          kind: 'Model',
          namespace: 'shop',
          name: 'digits',
          apiVersion: 'rouse.dev/v1alpha1',
        },
        metric: { name: 'rouse_wanted_instances' },
        timestamp: '2030-01-01T12:00:00Z',
        value: '4',
      },
    ]);
  });

  test('nothing is said of one that is not known', () => {
    expect(makeModelValues(source, { namespace: 'shop', name: 'embed' }, NOW)).toEqual([]);
    expect(makeModelValues(source, { namespace: 'shop', name: undefined }, NOW)).toEqual([]);
  });
});
