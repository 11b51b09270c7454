import { mkdtemp, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { RuntimeTasks, Task } from '#runtime/runtime.ts';
import { findProgram } from '#test/find-program.ts';
import { until } from '#test/until.ts';
import { createLocalSetup, type LocalSetup, pidsMarked } from './harness.ts';

let setup: LocalSetup;
let tasks: RuntimeTasks;

beforeEach(async () => {
  setup = await createLocalSetup();
  tasks = setup.runtime.tasks!;
});
afterEach(() => setup.close());

async function makeTask(script: string, spec: Partial<RevisionSpecInput> = {}): Promise<Task> {
  const folder = await realpath(await mkdtemp(join(setup.folder, 'task-')));
  return {
    workload: {
      key: 'default/job-1/program',
      spec: revisionSpec.parse({
        runtime: 'command',
        args: [process.execPath, '-e', script],
        ...spec,
      }),
    },
    folder,
    variables: { ROUSE_JOB: 'job-1', GIVEN: 'by the task' },
  };
}

const linesOf = async (): Promise<string[]> =>
  (await setup.runtime.logs('default/job-1/program', 100)).map(({ text }) => text);

const SLEEP = 'setInterval(() => {}, 1000)';

describe('a task', () => {
  test('runs in its folder, with its environment, and says how it ended', async () => {
    setup.secrets.set('default/token', 'secret');
    const script = `const { GIVEN, OWN, TOKEN, ROUSE_JOB, ROUSE_MODEL } = process.env;
      console.log(process.cwd()); console.log(GIVEN, OWN, TOKEN, ROUSE_JOB, ROUSE_MODEL);`;
    const env = { OWN: 'by its spec', GIVEN: 'by its spec', TOKEN: { secret: 'token' } };
    const task = await makeTask(script, { env });
    expect(await tasks.run(task)).toMatchObject({ ok: true, isLost: false });
    expect(await linesOf()).toEqual([
      task.folder,
      'by the task by its spec secret job-1 undefined',
    ]);
  });

  test('that exits with another status has failed, with its last lines', async () => {
    const end = await tasks.run(await makeTask('console.error("no rows"); process.exit(3)'));
    expect(end).toMatchObject({ ok: false, isLost: false, lastLines: ['no rows'] });
    expect(end.how).toMatch(/^exited with status 3 after/);
  });

  test('that is ended takes along what it has started', async () => {
    const script = `const { spawn } = require('node:child_process');
      spawn(process.execPath, ['-e', '${SLEEP}'], { detached: true });
      console.log('here'); ${SLEEP}`;
    const task = await makeTask(script);
    const ended = tasks.run(task);
    await until('it runs', async () => (await linesOf()).includes('here'));
    expect(pidsMarked(setup.stateId).length).toBe(2);
    tasks.end(task.workload.key);
    tasks.end(task.workload.key);
    expect(await ended).toMatchObject({ ok: false, isLost: true, how: 'was ended' });
    await until('nothing is left', () => pidsMarked(setup.stateId).length === 0);
  });

  test('ends the one before it under its key', async () => {
    const first = tasks.run(await makeTask(`console.log('first'); ${SLEEP}`));
    await until('it runs', async () => (await linesOf()).includes('first'));
    const second = await tasks.run(await makeTask('console.log("second")'));
    expect(await first).toMatchObject({ isLost: true });
    expect(second.ok).toBe(true);
  });

  test('that uses more memory than its limit is ended', async () => {
    const script = `const held = Buffer.alloc(300 * 2 ** 20, 1); ${SLEEP}`;
    const task = await makeTask(script, { resources: { limits: { memory: '200Mi' } } });
    const end = await tasks.run(task);
    expect(end).toMatchObject({ ok: false, isLost: false });
    expect(end.how).toMatch(/^used .* of memory, its limit is 200Mi/);
    expect(end.memoryBytes).toBeGreaterThan(200 * 2 ** 20);
  });

  test('is refused where it cannot be started', async () => {
    const image = await makeTask('', { runtime: 'image', source: 'ghcr.io/a/b:1' });
    await expect(tasks.run(image)).rejects.toThrow('runtime image needs the Knative runtime');
    const missing = await makeTask('', { args: ['no-such-program'] });
    await expect(tasks.run(missing)).rejects.toThrow('program no-such-program is not found');
  });

  const hasChrt = findProgram('chrt', process.env) !== undefined;
  test.skipIf(!hasChrt)('gives way to everything else (needs chrt)', async () => {
    const script = `const { readFileSync } = require('node:fs');
      console.log(readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ')[38]);`;
    await tasks.run(await makeTask(script));
    // The idle policy, as proc(5) has it.
    expect(await linesOf()).toEqual(['5']);
  });
});
