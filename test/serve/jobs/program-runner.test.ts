import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programSpec } from '#domain/program-job.ts';
import { createProgramRunner } from '#serve/jobs/program-runner.ts';
import { createLocalSetup, pidsMarked } from '#test/runtime/local/harness.ts';
import { describeProgramRunner, type ProgramSetup } from './program-runner-conformance.ts';

async function create(): Promise<ProgramSetup> {
  const setup = await createLocalSetup();
  const { runtime, artifacts, folder, stateId } = setup;
  const { tasks } = runtime;
  if (!tasks) throw new Error('it has no tasks');
  const runner = createProgramRunner({ runtime, tasks, artifacts, folder: join(folder, 'jobs') });
  const running = (): number => pidsMarked(stateId).length;
  return { runner, artifacts, running, close: () => setup.close() };
}

describeProgramRunner('processes of this machine', create);

test('an image is refused, with what would be right', async () => {
  const setup = await create();
  const spec = programSpec.parse({
    kind: 'program',
    runtime: 'image',
    source: 'registry.example/train:1',
  });
  const order = { namespace: 'default', id: 'job-1', attempt: 0, spec };
  await expect(setup.runner.check(order)).rejects.toMatchObject({
    code: 'invalid',
    problems: [{ key: 'runtime', value: '"image"', expected: expect.stringContaining('command') }],
  });
  await setup.close();
});
