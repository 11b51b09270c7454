import { ENV_MODEL, ENV_NAMESPACE, ENV_REVISION } from '#domain/launch.ts';
import type { Clock } from '#lib/clock.ts';
import type { LogLine, RuntimeTasks, Task, TaskEnd, Workload } from '../runtime.ts';
import { type Environment, type ReadSecret, workloadEnvironment } from './environment.ts';
import type { Prepared } from './prepare/prepare.ts';
import type { RunTool } from './prepare/tool.ts';
import type { Program } from './process/group.ts';

/** Programs that are run to their end, as processes of this machine. */
export function createTasks(options: {
  base: Environment;
  readSecret: ReadSecret;
  prepare: (workload: Workload) => Promise<Prepared>;
  forget: (key: string) => void;
  lowPriority: (program: Program) => Promise<Program>;
  runTool: RunTool;
  onLine: (key: string, line: LogLine) => void;
  clock: Clock;
}): RuntimeTasks {
  const { base, readSecret, prepare, forget, lowPriority, runTool, onLine, clock } = options;
  const running = new Map<string, { ended: Promise<unknown>; ending: AbortController }>();

  async function perform(task: Task, signal: AbortSignal): Promise<TaskEnd> {
    const { workload, folder } = task;
    const ready = await prepare(workload);
    const program = await lowPriority({
      path: ready.program,
      args: ready.args,
      cwd: folder,
      environment: { ...(await environmentOf(task)), ...ready.variables, ...task.variables },
    });
    const { memory } = workload.spec.resources.limits ?? {};
    const startedAt = clock.now();
    const end = await runTool(program, { memoryBytes: memory, signal }, (line) =>
      onLine(workload.key, line),
    );
    const { ok, how, isLost, lines, cpuSeconds, memoryBytes } = end;
    const seconds = (clock.now() - startedAt) / 1000;
    return { ok, how, isLost, lastLines: lines, seconds, cpuSeconds, memoryBytes };
  }

  /** Who it is, is said by the task: it is no instance. */
  async function environmentOf({ workload }: Task): Promise<Environment> {
    const environment = await workloadEnvironment(base, workload, readSecret);
    for (const name of [ENV_NAMESPACE, ENV_MODEL, ENV_REVISION]) delete environment[name];
    return environment;
  }

  return {
    async run(task) {
      const { key } = task.workload;
      const former = running.get(key);
      const ending = new AbortController();
      former?.ending.abort();
      const ended = Promise.resolve(former?.ended)
        .then(() => perform(task, ending.signal))
        .finally(() => {
          if (running.get(key)?.ending === ending) running.delete(key);
          forget(key);
        });
      // Whoever waits for it to end does not care how.
      running.set(key, { ended: ended.catch(() => undefined), ending });
      return await ended;
    },
    end(key) {
      const one = running.get(key);
      if (one) one.ending.abort();
      else forget(key);
    },
  };
}
