import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { createFleet } from '../fleet.ts';
import type { Runtime } from '../runtime.ts';
import { baseEnvironment, buildEnvironment, type ReadSecret } from './environment.ts';
import { makeRunFolder, sweepFormerLives } from './former-lives.ts';
import { createLauncher } from './launcher.ts';
import { createLowPriority } from './low-priority.ts';
import { createLogStore } from './log-store.ts';
import { createPager } from './parking/pager.ts';
import { createPool } from './pool/pool.ts';
import { createPreparation, type ArtifactFiles } from './prepare/preparation.ts';
import type { Programs } from './prepare/prepare.ts';
import { createTools } from './prepare/tool.ts';
import { createTasks } from './tasks.ts';
import { createProcesses } from './process/processes.ts';

export interface LocalRuntimeOptions {
  /** For what the runtime keeps: environments, sockets, bytecode. Its own, absolute. */
  readonly folder: string;
  /** Random, of the data folder: it marks the processes of all lives of this Rouse, and of no other. */
  readonly stateId: string;
  /** The name of this machine in addresses. */
  readonly node: string;
  readonly programs: Programs;
  readonly artifacts: ArtifactFiles;
  readonly readSecret: ReadSecret;
  /** Processes that stand by, for each kind of model server; 0: none. */
  readonly pool: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A runtime, and what others can do to end with it, however it ends. */
export interface LocalRuntime extends Runtime {
  readonly life: {
    /** In the environment of a process: it is ended with the instances, by the watchdog and by the next start. */
    readonly environment: Readonly<Record<string, string>>;
    /** For sockets: short enough a path, and removed at the end. */
    readonly folder: string;
  };
}

/** After the grace all is killed, which takes milliseconds, on a busy machine a second. */
const FORCE_MS = 2000;

/**
 * Instances are processes of this machine. Whatever way Rouse ends, they end: see `process/guard.ts` for now, and
 * `former-lives.ts` for what a former life left behind when its watchdog was killed, too.
 */
export async function createLocalRuntime(options: LocalRuntimeOptions): Promise<LocalRuntime> {
  const { folder, stateId, clock, log } = options;
  const life = randomBytes(4).toString('hex');
  let count = 0;
  const newId = (): string => `${life}-${(count++).toString(36)}`;
  await sweepFormerLives(stateId, log);
  const runFolder = await makeRunFolder(folder);
  await rm(join(folder, 'tmp'), { recursive: true, force: true });

  const base = baseEnvironment(process.env);
  const building = buildEnvironment(process.env);
  const processes = createProcesses({ stateId, life, runFolder, clock, log });
  const { host, toolHost } = processes;
  const runTool = createTools({ host: toolHost, clock, newId });
  const preparation = createPreparation({ ...options, base, building, runTool });
  const { preparer, prepareForStart, inspect } = preparation;

  const logs = createLogStore();
  const pool =
    options.pool === 0
      ? undefined
      : createPool({
          size: options.pool,
          stateId,
          runFolder,
          host,
          clock,
          log,
          newId,
          known: (key) => preparer.known(key),
          generic: (runtime) => preparer.generic(runtime),
        });
  const pager = createPager({ runTool, environment: base, log });
  const lowPriority = createLowPriority(process.env['PATH']);
  const launch = createLauncher({
    ...options,
    runFolder,
    pager,
    lowPriority,
    start: (...given) =>
      pool ? pool.start(...given) : { group: host.start(...given), origin: 'fresh' },
    takeBound: processes.takeBound,
    base,
    prepared: prepareForStart,
    onLine: (revision, line) => logs.add(revision, line),
    onUsage: (id, memoryBytes, cpuSeconds) => fleet.measured(id, memoryBytes, cpuSeconds),
  });
  const fleet = createFleet({
    clock,
    log,
    // Those that stand by have the priority that they were started with.
    newId: (workload) =>
      (workload.priority === undefined ? pool?.reserve(workload) : undefined) ?? newId(),
    launch,
  });
  const tasks = createTasks({
    ...options,
    base,
    prepare: prepareForStart,
    forget: (key) => preparer.forget(key),
    lowPriority,
    // They may run for hours, and are measured as instances are.
    runTool: createTools({ host, clock, newId }),
    onLine: (key, line) => logs.add(key, line),
  });
  fleet.onEvent((event) => {
    pool?.onEvent(event);
    // What was prepared may have been damaged since: the next start looks again.
    if (event.type === 'failed' && event.instance.readyAt === 0) {
      preparer.forget(event.instance.revision);
    }
  });

  return {
    ...fleet,
    life: { environment: processes.environment, folder: runFolder },
    capabilities: { exactCount: true, parks: true },
    ...(pool && { pool }),
    tasks,
    inspect,
    async prepare(workload) {
      if (workload.spec.runtime === 'url') fleet.want(workload, { min: 0, max: 1, desired: 0 });
      else await preparer.prepare(workload);
    },
    async want(workload, wanted) {
      if (wanted.max === 0) preparer.forget(workload.key);
      fleet.want(workload, wanted);
    },
    logs: async (revision, limit) => logs.read(revision, limit),
    async close(graceMs) {
      const force = clock.after(graceMs + FORCE_MS, () => processes.kill('not all ended in time'));
      pool?.close();
      await Promise.all([fleet.close(graceMs), toolHost.close()]);
      await host.close();
      force.cancel();
      await processes.close();
      await rm(runFolder, { recursive: true, force: true });
    },
  };
}
