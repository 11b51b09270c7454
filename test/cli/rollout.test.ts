import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ModelInput } from '#domain/model.ts';
import { ADMIN } from '#test/api/server.ts';
import { until } from '#test/until.ts';
import { createWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(async () => {
  await world.close();
});

function document(revision: string, namespace: string): ModelInput {
  return {
    apiVersion: 'rouse.dev/v1alpha1',
    kind: 'Model',
    metadata: { name: 'm', namespace },
    spec: {
      revision: { name: revision, runtime: 'command', args: [`./${revision}`] },
      scaling: { initial: 0 },
      rollout: { steps: [10, 50] },
    },
  };
}

async function apply(revision: string, namespace = 'default'): Promise<void> {
  const { useCases } = world.server;
  await useCases.applyModel(ADMIN, document(revision, namespace));
  await until(`${revision} is ready`, async () => {
    const view = await useCases.getModel(ADMIN, namespace, 'm');
    return view.targets.some((row) => row.revision === revision);
  });
}

test('shown, and done what is asked for', async () => {
  await apply('v1');
  expect(await world.run(['rollout', 'm'])).toMatchObject({
    status: 1,
    stderr: 'rouse: model default/m has had no rollout\n',
  });
  await apply('v2');
  const { stdout } = await world.run(['rollout', 'm']);
  expect(stdout).toMatch(/^m +Running, step 1 of 2 \(10, 50 %\)\n/);
  expect(stdout).toMatch(/^new +v2 10 %$/m);
  expect(stdout).toMatch(/^before +v1 90 %$/m);
  expect(stdout).toMatch(/^why +a new revision is ready: v2 gets 10 %, v1 the rest$/m);

  expect((await world.run(['rollout', 'm', 'pause'])).stdout).toMatch(/^m +Paused, step 1 of 2/);
  expect((await world.run(['rollout', 'm', 'pause'])).stderr).toContain('is Paused already');
  expect((await world.run(['rollout', 'm', 'resume'])).stdout).toMatch(/^m +Running/);
  expect((await world.run(['rollout', 'm', 'skip'])).stdout).toMatch(/^new +v2 50 %$/m);
  expect((await world.run(['rollout', 'm', 'abort'])).stdout).toMatch(/^m +Aborted\n/);
  expect((await world.run(['rollout', 'm', 'abort'])).stderr).toContain('has ended: Aborted');
  const why = await world.run(['why', 'm']);
  expect(why.stdout).toContain('aborted by local  (decided: stable v1, canary v2, percent 0)');
  const late = await world.run(['rollout', 'm', 'promote']);
  expect(late).toMatchObject({ status: 1, stdout: '' });
  expect(late.stderr).toBe(
    'rouse: the rollout of v2 has ended: Aborted; to have v2 serve all the same: npx rouse traffic m latest=100\n',
  );

  await apply('v3');
  const json = await world.run(['rollout', 'm', 'promote', '-o', 'json']);
  expect(JSON.parse(json.stdout)).toMatchObject({ phase: 'Promoted', percent: 100, canary: 'v3' });
});

test('what brings it in after its end is said for its namespace', async () => {
  await apply('v1', 'lab');
  await apply('v2', 'lab');
  await world.run(['rollout', 'm', 'abort', '-n', 'lab']);
  const late = await world.run(['rollout', 'm', 'promote', '-n', 'lab']);
  expect(late.stderr).toMatch(/: npx rouse traffic m latest=100 -n lab\n$/);
});

test('what it cannot do', async () => {
  const run = await world.run(['rollout', 'm', 'stop']);
  expect(run.status).toBe(2);
  expect(run.stderr).toContain('status, pause, resume, skip, abort, promote');
});
