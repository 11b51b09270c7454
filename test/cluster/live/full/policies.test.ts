import { expect, test } from 'vitest';
import { describeScenarios } from '../scenarios.ts';

const OPTIONS = { program: 'policies-child.ts', additions: ['httpproxy'] };

/** What policies decide, as a real cluster carries it out. */
describeScenarios('policies on a cluster', OPTIONS, ({ play }) => {
  const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

  test('weights of signals are seen in the PodAutoscaler, and so is their change', async () => {
    expect(await play('weighted')).toMatch(/signals\): 3\.4 /);
  });

  test('a canary as good as what serves is promoted', async () => {
    expect(await play('promoted')).toEqual({
      phase: 'Promoted',
      why: matching(/success/),
    });
  });

  test('a canary that fails its requests is rolled back', async () => {
    expect(await play('rolledBack')).toEqual({
      phase: 'RolledBack',
      why: matching(/^back to v1: success is worse: /),
    });
  });
});
