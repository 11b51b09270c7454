import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ProgramEnd,
  programKey,
  type ProgramOrder,
  type ProgramResult,
  type ProgramRunner,
} from '#control/jobs/program-runner.ts';
import { MAX_ARTIFACT_BYTES } from '#control/limits.ts';
import {
  ENV_DATA,
  ENV_JOB,
  ENV_MODEL,
  ENV_NAMESPACE,
  ENV_OUTPUT,
  ENV_PARENT,
  ENV_REVISION,
} from '#domain/launch.ts';
import { revisionSpec } from '#domain/model.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault, formatProblem, messageOf } from '#lib/fault.ts';
import type { Runtime, RuntimeTasks, TaskEnd, Workload } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putPath } from '#store/put-path.ts';
import { removeTree } from '#store/remove-tree.ts';
import { createProgramInputs } from './program-inputs.ts';
import { readOutput } from './program-output.ts';

/** Of its last lines, in the reason of a failure. */
const MOST_CHARS = 4000;

/**
 * Programs of jobs, run by the runtime, each in a folder of its own: `work`, where it is started, `tmp` and `output`.
 * What it is given (source, data, parent) are copies of stored content.
 */
export function createProgramRunner(options: {
  runtime: Pick<Runtime, 'prepare' | 'logs'>;
  tasks: RuntimeTasks;
  artifacts: Artifacts;
  /** Of all jobs. */
  folder: string;
}): ProgramRunner {
  const { runtime, tasks, artifacts, folder } = options;
  const inputs = createProgramInputs({ artifacts, checkPath: async () => {} });
  /** Of data that was read from a path: only here it is known that it is needed. */
  const inUse = new Map<ProgramOrder, string>();

  const folderOf = ({ namespace, id }: Pick<ProgramOrder, 'namespace' | 'id'>): string =>
    join(folder, namespace, id);

  async function makeWorkload(order: ProgramOrder): Promise<Workload> {
    const { runtime: name, source, args, env, resources } = order.spec;
    if (name === 'image') throw makeNoImages();
    const spec = revisionSpec.parse({ runtime: name, source, args, env, resources });
    const artifact = await inputs.source(order.spec);
    return { key: programKey(order), spec, ...(artifact && { artifact }) };
  }

  async function makeVariables(
    { namespace, id, spec, parent }: ProgramOrder,
    data: ArtifactRef | undefined,
  ): Promise<Record<string, string>> {
    const own = folderOf({ namespace, id });
    return {
      [ENV_NAMESPACE]: namespace,
      [ENV_JOB]: id,
      [ENV_OUTPUT]: join(own, 'output'),
      TMPDIR: join(own, 'tmp'),
      ...(spec.model !== undefined && { [ENV_MODEL]: spec.model }),
      ...(parent && {
        [ENV_REVISION]: parent.revision,
        [ENV_PARENT]: await artifacts.materialize(parent.artifact),
      }),
      ...(data && { [ENV_DATA]: await artifacts.materialize(data) }),
    };
  }

  async function attempt(order: ProgramOrder, signal: AbortSignal): Promise<ProgramEnd> {
    const own = folderOf(order);
    await removeTree(own);
    for (const name of ['work', 'tmp', 'output']) {
      await mkdir(join(own, name), { recursive: true, mode: 0o700 });
    }
    const workload = await makeWorkload(order);
    const data = await inputs.takeData(order.spec, signal);
    if (data) inUse.set(order, data.digest);
    const variables = await makeVariables(order, data);
    signal.throwIfAborted();
    const end = await tasks.run({ workload, folder: join(own, 'work'), variables });
    if (!end.ok) return { kind: end.isLost ? 'lost' : 'failed', why: describeEnd(end) };
    const { seconds, cpuSeconds, memoryBytes } = end;
    const result: ProgramResult = { seconds, cpuSeconds, memoryBytes, ...(data && { data }) };
    if (!order.parent) return { kind: 'done', result };
    const { artifact, ...measured } = await readOutput(join(own, 'output'), async (path) =>
      putPath(artifacts, path, { maxBytes: MAX_ARTIFACT_BYTES, signal }),
    );
    return { kind: 'done', result: { ...result, made: { artifact, ...measured } } };
  }

  return {
    async check(order) {
      const workload = await makeWorkload(order);
      await inputs.checkData(order.spec);
      await runtime.prepare(workload);
    },
    start(order) {
      const ending = new AbortController();
      const ended = attempt(order, ending.signal)
        .catch((error: unknown): ProgramEnd => {
          const isLost = error instanceof Fault && error.code === 'unavailable';
          return { kind: isLost ? 'lost' : 'failed', why: messageOf(error) };
        })
        .finally(() => inUse.delete(order));
      const end = async (): Promise<void> => {
        ending.abort();
        tasks.end(programKey(order));
        await ended;
      };
      return { ended, end, leave: end };
    },
    async clear(job) {
      tasks.end(programKey(job));
      await removeTree(folderOf(job));
    },
    inUse: () => [...inUse.values()],
    logs: (job, limit) => runtime.logs(programKey(job), limit),
  };
}

function makeNoImages(): Fault {
  const expected = 'command: images are for Kubernetes (--runtime knative), here are processes';
  const problem = { key: 'runtime', value: '"image"', expected };
  return new Fault('invalid', `job: ${formatProblem(problem)}`, { problems: [problem] });
}

function describeEnd({ how, lastLines }: TaskEnd): string {
  const last = lastLines.map((line) => `\n  ${line}`).join('');
  return `its program ${how}${last.slice(-MOST_CHARS)}`;
}
