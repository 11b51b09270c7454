import { expect, test } from 'vitest';
import { findProblems } from '#domain/parse.ts';
import { readRollout, rollout } from '#domain/rollout.ts';

test('the short form has useful defaults', () => {
  expect(rollout.parse({ steps: [10, 50] })).toEqual({
    strategy: 'canary',
    steps: [10, 50],
    interval: 60_000,
    minSamples: 100,
    metrics: [
      { metric: 'success', margin: 0.01 },
      { metric: 'latency', percentile: 95, ratio: 1.25 },
    ],
  });
  expect(
    rollout.parse({ metrics: [{ metric: 'custom', measure: 'f1', margin: 1 }] }),
  ).toMatchObject({
    metrics: [{ metric: 'custom', measure: 'f1', goal: 'higher', margin: 1 }],
  });
  const query = 'up{revision="${revision}"}';
  const url = 'https://judge.example/score';
  const metrics = [
    { metric: 'cost' },
    { metric: 'prometheus', query, margin: 1 },
    { metric: 'hook', url, margin: 0.02 },
  ];
  expect(rollout.parse({ metrics }).metrics).toEqual([
    { metric: 'cost', ratio: 1.25 },
    { metric: 'prometheus', query, goal: 'higher', margin: 1, minSamples: 30 },
    { metric: 'hook', url, goal: 'higher', margin: 0.02, minSamples: 30 },
  ]);
});

test.each([
  [{ steps: [10, 10] }, 'steps[1]', 'more than the step before, which is 10'],
  [{ steps: [10, 100] }, 'steps[1]', '99'],
  [{ steps: [] }, 'steps', '1'],
  [{ strategy: 'blueGreen', steps: [10] }, 'steps', 'no steps: with blueGreen it gets all at once'],
  [{ strategy: 'blueGreen', shadow: 5 }, 'shadow', 'no shadow: with blueGreen'],
  [{ shadow: 0 }, 'shadow', '1'],
  [{ interval: '999ms' }, 'interval', 'a duration of at least 1s'],
  [{ metrics: [] }, 'metrics', '1'],
  [{ metrics: [{ metric: 'success' }, { metric: 'success' }] }, 'metrics[1]', 'each metric once'],
  [{ metrics: [{ metric: 'success', margin: 0 }] }, 'metrics[0].margin', '0'],
  [{ metrics: [{ metric: 'success', atLeast: 1 }] }, 'metrics[0].atLeast', '1'],
  [{ metrics: [{ metric: 'success', atMost: '1s' }] }, 'metrics[0].atMost', 'no such key'],
  [{ metrics: [{ metric: 'latency', atMost: 300 }] }, 'metrics[0].atMost', 'a duration such as'],
  [{ metrics: [{ metric: 'latency', atMost: '0s' }] }, 'metrics[0].atMost', 'more than 0s'],
  [{ metrics: [{ metric: 'latency', ratio: 1 }] }, 'metrics[0].ratio', '1.1'],
  [{ metrics: [{ metric: 'custom', margin: 1 }] }, 'metrics[0].measure', ''],
  [{ metrics: [{ metric: 'custom', measure: 'a b', margin: 1 }] }, 'metrics[0].measure', 'such as'],
  [{ metrics: [{ metric: 'cost', ratio: 1 }] }, 'metrics[0].ratio', '1.05'],
  [
    { metrics: [{ metric: 'cost' }, { metric: 'cost', ratio: 2 }] },
    'metrics[1]',
    'each metric once',
  ],
  [
    { metrics: [{ metric: 'prometheus', query: 'up', margin: 1 }] },
    'metrics[0].query',
    'a query with ${revision} in it',
  ],
  [
    { metrics: [{ metric: 'prometheus', query: '${revision}', margin: 1, minSamples: 9 }] },
    'metrics[0].minSamples',
    '10',
  ],
  [
    { metrics: [{ metric: 'hook', url: 'judge/score', margin: 1 }] },
    'metrics[0].url',
    'begins with http:// or https://',
  ],
  [
    { metrics: [{ metric: 'hook', url: 'file:///etc/passwd', margin: 1 }] },
    'metrics[0].url',
    'begins with http:// or https://',
  ],
  [
    { metrics: [{ metric: 'hook', url: 'http://me:secret@judge/', margin: 1 }] },
    'metrics[0].url',
    'without user and password',
  ],
  [
    { metrics: [1, 2].map((margin) => ({ metric: 'hook', url: 'http://judge/', margin })) },
    'metrics[1]',
    'each metric once',
  ],
  [{ strategy: 'allAtOnce' }, 'strategy', 'blueGreen'],
])('%j is refused', (written, key, expected) => {
  const { problems } = findProblems(rollout, written);
  expect(problems).toContainEqual(
    expect.objectContaining({ key, expected: expect.stringContaining(expected) }),
  );
});

test('two percentiles of latency are two metrics', () => {
  const metrics = [
    { metric: 'latency', percentile: 50 },
    { metric: 'latency', percentile: 99 },
  ];
  expect(findProblems(rollout, { metrics }).problems).toEqual([]);
});

test('where the clock was set back, what is to come is now', () => {
  const query = { query: 'up', count: 3, stable: 3, canary: 2, squares: 1 };
  const recordOf = (at: number) => ({
    phase: 'Running',
    stable: 'v1',
    canary: 'v2',
    by: 'rollout',
    percent: 5,
    startedAt: at,
    lookedAt: at,
    why: '',
    memory: { step: 0, stepAt: at, requests: 9, latency: {}, queries: [{ ...query, at }] },
  });
  expect(readRollout(recordOf(1000), 1000)).toEqual(recordOf(1000));
  expect(readRollout(recordOf(1000), 400)).toEqual(recordOf(400));
});

test('a record of another form is none', () => {
  expect(readRollout({ phase: 'Running' }, 0)).toBeUndefined();
  expect(readRollout('Running', 0)).toBeUndefined();
});
