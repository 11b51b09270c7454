import { expect, test } from 'vitest';
import type { ModelAnswer } from '#domain/read-views.ts';
import { formatModels } from '#serve/welcome.ts';

const WHERE = {
  examples: new Map<string, string>(),
  control: 'http://127.0.0.1:8081',
  way: { origin: 'http://127.0.0.1:8080' },
};

type Revisions = Record<string, 'Ready' | 'Failed'>;

/** Of revisions, oldest first; all of its traffic goes to one. */
function modelOf(name: string, states: Revisions, serving: string): ModelAnswer {
  const base = `http://127.0.0.1:8080`;
  const infer = `${base}/v2/models/${name}/infer`;
  return {
    metadata: { name, namespace: 'default' },
    spec: {},
    status: {
      state: states[serving] === 'Failed' ? 'Failed' : 'Asleep',
      version: 1,
      generation: 1,
      createdAt: 0,
      updatedAt: 0,
      addresses: { path: `${base}/models/default/${name}/`, host: '', infer, tags: {} },
      traffic: [{ revision: serving, percent: 100 }],
      revisions: Object.entries(states).map(([revision, state]) => ({
        name: revision,
        runtime: 'onnx',
        state,
        reason: state === 'Failed' ? 'it is broken\nits last lines' : '',
        createdAt: 0,
      })),
      instances: [],
    },
  };
}

function rowOf(states: Revisions, serving: string): string | undefined {
  const started = { models: [modelOf('m', states, serving)], others: 0, problems: 0 };
  return formatModels(started, WHERE).split('\n')[1]?.trim();
}

test.each<[string, Revisions, string, string]>([
  ['works', { v1: 'Ready', v2: 'Ready' }, 'v2', 'v2'],
  ['has failed', { v1: 'Failed' }, 'v1', 'v1 failed: it is broken'],
  ['has a newest that failed', { v1: 'Ready', v2: 'Failed' }, 'v1', 'v2 failed: it is broken'],
  ['has left a failure behind', { v1: 'Failed', v2: 'Ready' }, 'v2', 'v2'],
  ['serves a failure', { v1: 'Failed', v2: 'Ready' }, 'v1', 'v1 failed: it is broken'],
])('a model that %s', (_, states, serving, said) => {
  expect(rowOf(states, serving)).toBe(`m  onnx      ${said}`);
});

test('models that are only in the state are counted', () => {
  const models = [modelOf('m', { v1: 'Ready' }, 'v1')];
  expect(formatModels({ models, others: 8, problems: 0 }, WHERE)).toContain(
    '\n  and 8 more in the state: npx rouse get models\nTry:\n',
  );
  expect(formatModels({ models, others: 0, problems: 0 }, WHERE)).not.toContain('state');
  expect(formatModels({ models: [], others: 1, problems: 0 }, WHERE)).toBe(
    '1 model in the state: npx rouse get models\n',
  );
});
