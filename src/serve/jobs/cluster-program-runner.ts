import {
  type ProgramEnd,
  programKey,
  type ProgramOrder,
  type ProgramRun,
  type ProgramRunner,
} from '#control/jobs/program-runner.ts';
import { MAX_ARTIFACT_BYTES } from '#control/limits.ts';
import type { ArtifactRef } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, FAULTS, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { pause } from '#lib/pause.ts';
import type { PodEnd } from '#knative/programs/ends.ts';
import type { ProgramJob } from '#knative/programs/manifest.ts';
import type { ProgramJobs } from '#knative/programs/program-jobs.ts';
import { createLogStore } from '#runtime/local/log-store.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putFolder } from '#store/put-folder.ts';
import { putPath } from '#store/put-path.ts';
import type { ProgramInputs } from './program-inputs.ts';
import { readOutput } from './program-output.ts';

/** Lines of an attempt that are kept when its pod goes. */
const KEPT_LINES = 1000;
const RETRY_MS = 2000;

/**
 * Programs of jobs, run by pods, which outlive Rouse. What such a pod leaves comes as one folder, and is read as on one
 * machine.
 *
 * 1. A Job of the cluster stays until it is known here how its attempt ended: whoever begins again finds it.
 * 2. One that has failed goes before that is told: nobody is to find, and count, it once more.
 */
export function createClusterProgramRunner(options: {
  jobs: ProgramJobs;
  artifacts: Artifacts;
  inputs: ProgramInputs;
  clock: Clock;
  log: Pick<Log, 'warn'>;
}): ProgramRunner {
  const { jobs, artifacts, inputs, clock, log } = options;
  const kept = createLogStore();
  /** With the data that it has got, which only here is known to be needed. */
  const running = new Map<string, string | undefined>();
  /** Those whose output is read from their pods: it is not kept yet. */
  const inPods = new Set<string>();

  async function makeJob(order: ProgramOrder, data: ArtifactRef | undefined): Promise<ProgramJob> {
    const { namespace, id, attempt, spec, parent } = order;
    const source = await inputs.source(spec);
    const namesSource = spec.args.some((arg) => arg.includes('${SOURCE}'));
    if (spec.runtime === 'command' && namesSource && !source) {
      throw new Fault('invalid', 'args name ${SOURCE}, but there is no source');
    }
    const given = {
      ...(source && { source }),
      ...(data && { data }),
      ...(parent && { parent: parent.artifact }),
    };
    return { namespace, id, attempt, spec, inputs: given, parent: parent?.revision };
  }

  async function readEnd(
    { parent }: ProgramOrder,
    end: PodEnd,
    data: ArtifactRef | undefined,
    signal: AbortSignal,
  ): Promise<ProgramEnd> {
    if (end.kind !== 'done') return end;
    const result = { seconds: end.seconds, ...(data && { data }) };
    if (!parent) return { kind: 'done', result };
    const output = end.output === undefined ? undefined : await artifacts.touch(end.output);
    if (!output) return { kind: 'lost', why: 'what it has left is not here' };
    const folder = await artifacts.materialize(output);
    const made = await readOutput(folder, async (path) =>
      putPath(artifacts, path, { maxBytes: MAX_ARTIFACT_BYTES, signal }),
    );
    return { kind: 'done', result: { ...result, made } };
  }

  async function keepLogs(order: ProgramOrder): Promise<void> {
    const key = programKey(order);
    try {
      const lines = await jobs.logs(order, KEPT_LINES);
      if (inPods.delete(key)) for (const line of lines) kept.add(key, line);
    } catch (error) {
      log.warn({ job: order.id, error: messageOf(error) }, 'the output of a program is not kept');
    }
  }

  /** Where it cannot be removed for good, that is told by the next attempt. */
  async function removeFailed(order: ProgramOrder, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        return await jobs.remove(order);
      } catch (error) {
        if (!(error instanceof Fault) || !FAULTS[error.code].retryable) return;
        await pause(clock, RETRY_MS, signal);
      }
    }
  }

  type Work = (
    order: ProgramOrder,
    signal: AbortSignal,
    onWaits: (what: string | undefined) => void,
  ) => Promise<ProgramEnd>;

  const begin: Work = async (order, signal, onWaits) => {
    const data = await inputs.takeData(order.spec, signal);
    running.set(programKey(order), data?.digest);
    const job = await makeJob(order, data);
    return await readEnd(order, await jobs.run(job, signal, onWaits), data, signal);
  };

  const goOn: Work = async (order, signal, onWaits) => {
    const data = await jobs.dataOf(order, signal);
    running.set(programKey(order), data?.digest);
    return await readEnd(order, await jobs.resume(order, signal, onWaits), data, signal);
  };

  function run(order: ProgramOrder, work: Work): ProgramRun {
    const closing = new AbortController();
    const { signal } = closing;
    const key = programKey(order);
    let waits: string | undefined;
    const onWaits = (what: string | undefined): void => void (waits = what);
    running.set(key, undefined);
    inPods.add(key);

    async function toEnd(): Promise<ProgramEnd> {
      const end = await work(order, signal, onWaits).catch((error: unknown): ProgramEnd => {
        const isLost = error instanceof Fault && FAULTS[error.code].retryable;
        return { kind: isLost ? 'lost' : 'failed', why: messageOf(error) };
      });
      if (signal.aborted) return end;
      await keepLogs(order);
      if (end.kind === 'failed') await removeFailed(order, signal);
      return end;
    }

    const ended = toEnd().finally(() => {
      running.delete(key);
      inPods.delete(key);
    });
    async function leave(): Promise<void> {
      closing.abort();
      await ended;
    }
    return {
      ended,
      waitsFor: () => waits,
      leave,
      async end() {
        if (inPods.has(key)) await keepLogs(order);
        await leave();
        await jobs.remove(order).catch((error: unknown) => {
          log.warn({ job: order.id, error: messageOf(error) }, 'its pod may run on for a while');
        });
      },
    };
  }

  return {
    async check(order) {
      await inputs.checkData(order.spec);
      await jobs.check(await makeJob(order, undefined));
    },
    start: (order) => run(order, begin),
    resume: (order) => run(order, goOn),
    clear: (job) => jobs.remove(job),
    inUse: () => [...running.values()].filter((digest) => digest !== undefined),
    take: (content) =>
      putFolder(artifacts, content, { name: 'output', maxBytes: MAX_ARTIFACT_BYTES }),
    async logs(job, limit) {
      const key = programKey(job);
      // First: what is kept meanwhile is not told twice.
      const before = kept.read(key, limit);
      const now = inPods.has(key) ? await jobs.logs(job, limit) : [];
      return [...before, ...now].slice(-limit);
    },
  };
}
