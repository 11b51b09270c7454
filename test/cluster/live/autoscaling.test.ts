import { expect, test } from 'vitest';
import { describeScenarios } from './scenarios.ts';

/** What steers Knative's autoscaler, asked of the real one. */
describeScenarios("Knative's autoscaler", { program: 'autoscaling-child.ts' }, ({ play }) => {
  test('follows all that Rouse steers, and no pod is started anew; another annotation starts all', async () => {
    expect(await play('steer')).toEqual({ kept: true, kinds: 1 });
  });

  test('lets go of more than the most that there may be', async () => {
    expect(await play('lower')).toBe('1');
  });

  test('wakes what sleeps also when it was started anew meanwhile', async () => {
    expect(await play('wake')).toBe('woken');
  });

  test('reverts what others write to a PodAutoscaler; what is taken away from a Revision is its default again', async () => {
    expect(await play('revert')).toBe('reverted');
  });

  test('goes to zero, of whatever class and however patient it is by default', async () => {
    expect(await play('defaults')).toEqual({ began: true, class: 'kpa.autoscaling.knative.dev' });
  });
});
