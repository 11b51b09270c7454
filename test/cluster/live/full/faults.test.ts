import { expect, test } from 'vitest';
import { describeScenarios } from '../scenarios.ts';

/** Those of the faults beside `faults.test.ts` that take minutes. */
describeScenarios('long faults of a cluster', { program: 'faults-child.ts' }, ({ play }) => {
  const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);

  test('a definition of Knative is missing: that is told, and all is made anew when it is back', async () => {
    expect(await play('definitionMissing')).toEqual({
      told: matching(
        /waits for the cluster: the cluster has no services\.serving\.knative\.dev: expected Knative Serving, installed and ready$/,
      ),
      held: 200,
      warm: 200,
    });
  });

  test('the API server is away for a minute: what is warm goes on, who is held is told or served', async () => {
    const why =
      /waits for the cluster: the API server of the cluster does not answer: connect ECONN/;
    expect(await play('apiServerAway')).toEqual({
      warm: [200],
      told: matching(why),
      held: 200,
      made: 0,
      asked: 200,
      events: expect.arrayContaining([matching(why)]),
      missed: true,
    });
  });
});
