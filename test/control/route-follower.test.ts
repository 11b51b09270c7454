import { expect, test } from 'vitest';
import type { RoutingTarget } from '#domain/routing.ts';
import { silentLog } from '#lib/log.ts';
import { createRouteFollower } from '#control/data-planes/route-follower.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { until } from '#test/until.ts';

const V1: RoutingTarget = { revision: 'v1', percent: 100 };
const AGAIN_MS = 30_000;

function setUp(made: readonly string[], known: Record<string, readonly RoutingTarget[]>) {
  const said: string[] = [];
  let isAway = false;
  const clock = createFakeClock();
  const routes = {
    models: () => made,
    revisions: () => [],
    route: (model: string, targets: readonly RoutingTarget[]) =>
      void said.push(`route ${model} ${targets.map((each) => each.revision).join()}`),
    async forget(model: string) {
      said.push(`forget ${model}`);
      if (isAway) throw new Error('away');
    },
  };
  const catalog = {
    model: (key: string) => {
      const targets = known[key];
      return targets && { resolved: { targets } };
    },
  };
  const log = silentLog;
  return {
    said,
    clock,
    follower: createRouteFollower({ catalog: catalog as never, routes, clock, log }),
    setAway: (away: boolean) => (isAway = away),
  };
}

test('what was made for models that went while control was away is removed', () => {
  const { said } = setUp(['default/kept', 'default/gone'], { 'default/kept': [V1] });
  expect(said).toEqual(['forget default/gone']);
});

test('a split is followed, and what was made for a deleted model is removed', () => {
  const known: Record<string, readonly RoutingTarget[]> = { 'default/a': [V1] };
  const { said, follower } = setUp([], known);
  follower.refresh('default/a');
  delete known['default/a'];
  follower.refresh('default/a');
  expect(said).toEqual(['route default/a v1', 'forget default/a']);
});

test('what could not be removed is tried again until it is, and not when the model is back', async () => {
  const known: Record<string, readonly RoutingTarget[]> = {};
  const { said, follower, clock, setAway } = setUp([], known);
  setAway(true);
  follower.refresh('default/a');
  follower.refresh('default/b');
  clock.advance(AGAIN_MS);
  known['default/b'] = [V1];
  follower.refresh('default/b');
  setAway(false);
  clock.advance(AGAIN_MS);
  await until(
    'it was tried again',
    () => said.filter((line) => line === 'forget default/a').length === 3,
  );
  clock.advance(AGAIN_MS);
  expect(said.filter((line) => line.startsWith('forget'))).toEqual([
    'forget default/a',
    'forget default/b',
    'forget default/a',
    'forget default/b',
    'forget default/a',
  ]);
  expect(said).toContain('route default/b v1');
  follower.close();
});
