import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ArtifactRef } from '#domain/records.ts';
import { systemClock, type Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { createFleet } from '../fleet.ts';
import type { Runtime, Workload } from '../runtime.ts';
import { baseEnvironment, buildEnvironment, type ReadSecret } from './environment.ts';
import { createGuard } from './process/guard.ts';
import { createProcessHost } from './process/process-host.ts';
import { createInspector, type PutArtifact } from './prepare/inspect.ts';
import { createLauncher } from './launcher.ts';
import { createLogStore } from './log-store.ts';
import { createMeter } from './process/meter.ts';
import { createPager } from './parking/pager.ts';
import { createPool } from './pool/pool.ts';
import { createPreparer, type Prepared, type Programs } from './prepare/prepare.ts';
import { hasProc, systemProcesses } from './process/proc.ts';
import { createReaper } from './process/reaper.ts';
import { createSpawner } from './process/spawner.ts';
import { ENV_INSTANCE, sweep } from './process/sweep.ts';
import { createTools } from './prepare/tool.ts';
import { createVenvs } from './prepare/venv.ts';

export interface LocalRuntimeOptions {
  /** For what the runtime keeps: environments, sockets, bytecode. Its own, absolute. */
  readonly folder: string;
  /** Random, of the data folder: it marks the processes of all lives of this Rouse, and of no other. */
  readonly stateId: string;
  /** The name of this machine in addresses. */
  readonly node: string;
  readonly programs: Programs;
  readonly artifacts: {
    materialize(ref: ArtifactRef): Promise<string>;
    readonly put: PutArtifact;
  };
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

/** Often enough to stop what grows before it hurts others, seldom enough to cost nothing with 1,000 instances. */
const MEASURE_MS = 2000;
/** What is looked into is a stranger's file and lives shortly. */
const MEASURE_TOOLS_MS = 200;
/** What was killed is gone in a few ms, unless the system is stuck: then nobody can help it. */
const LOOK_EVERY_MS = 10;
const MOST_LOOKS = 200;
/** After the grace all is killed, which takes milliseconds, on a busy machine a second. */
const FORCE_MS = 2000;
/** A Unix socket's path has at most 104 (macOS) to 108 bytes; an id has 16. */
const LONGEST_RUN_FOLDER = 80;

/**
 * Instances are processes of this machine. Whatever way Rouse ends, they end: see `process/guard.ts` for now, and
 * the sweep below for what a former life left behind when its watchdog was killed, too.
 */
export async function createLocalRuntime(options: LocalRuntimeOptions): Promise<LocalRuntime> {
  const { folder, stateId, programs, artifacts, readSecret, clock, log } = options;
  const life = randomBytes(4).toString('hex');
  let count = 0;
  const newId = (): string => `${life}-${(count++).toString(36)}`;
  await sweepFormerLives(stateId, log);
  const runFolder = await makeRunFolder(folder);
  await rm(join(folder, 'tmp'), { recursive: true, force: true });

  const mark = `${stateId}/${life}-`;
  // A process of the system answers in the system's time, not in the clock's.
  const helpers = { clock: systemClock, log };
  const guard = createGuard({ node: process.execPath, mark, runFolder, ...helpers });
  const reaper = createReaper({
    clock,
    spared: new Set([process.pid]),
    onDone: ({ pid }) => guard.remove(pid),
  });
  const meter = createMeter({ clock, everyMs: MEASURE_MS });
  const toolMeter = createMeter({ clock, everyMs: MEASURE_TOOLS_MS });
  const environment = { [ENV_INSTANCE]: `${mark}rouse` };
  const spawner = createSpawner({ environment, ...helpers });
  const host = createProcessHost({ stateId, spawner, guard, reaper, meter });
  const toolHost = createProcessHost({ stateId, spawner, guard, reaper, meter: toolMeter });
  const runTool = createTools({ host: toolHost, clock, newId });

  const base = baseEnvironment(process.env);
  const materialize = (ref: ArtifactRef): Promise<string> => artifacts.materialize(ref);
  const findPython = createVenvs({
    folder: join(folder, 'venvs'),
    environment: buildEnvironment(process.env),
    runTool,
  });
  const preparer = createPreparer({ folder, programs, base, materialize, readSecret, findPython });
  /** What was prepared serves again; a copy of the source that an instance has written to is made anew. */
  async function prepareForStart(workload: Workload): Promise<Prepared> {
    const known = preparer.known(workload.key);
    const source = workload.inspection?.served ?? workload.artifact;
    if (known && source) await materialize(source);
    return known ?? (await preparer.prepare(workload));
  }

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
  const pager = createPager({ runTool, environment: base, clock, log });
  const launch = createLauncher({
    ...options,
    runFolder,
    pager,
    start: (...given) =>
      pool ? pool.start(...given) : { group: host.start(...given), origin: 'fresh' },
    base,
    prepared: prepareForStart,
    onLine: (revision, line) => logs.add(revision, line),
    onUsage: (id, memoryBytes, cpuSeconds) => fleet.measured(id, memoryBytes, cpuSeconds),
  });
  const fleet = createFleet({
    clock,
    log,
    newId: (workload) => pool?.reserve(workload) ?? newId(),
    launch,
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
    life: { environment, folder: runFolder },
    capabilities: { exactCount: true, parks: true },
    ...(pool && { pool }),
    inspect: createInspector({
      folder,
      inspect: programs.inspect,
      base,
      materialize,
      put: (content, about) => artifacts.put(content, about),
      runTool,
    }),
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
      const force = clock.after(graceMs + FORCE_MS, () => spawner.kill('not all ended in time'));
      pool?.close();
      pager.close();
      await Promise.all([fleet.close(graceMs), toolHost.close()]);
      await host.close();
      force.cancel();
      await spawner.close();
      reaper.close();
      meter.close();
      toolMeter.close();
      await guard.close();
      await rm(runFolder, { recursive: true, force: true });
    },
  };
}

async function sweepFormerLives(stateId: string, log: Log): Promise<void> {
  if (!hasProc()) {
    log.warn(
      'no /proc on this system: memory is not measured or limited, and of an instance that ends only its ' +
        'own process group is ended with it',
    );
    return;
  }
  const marks = { prefixes: [`${stateId}/`], leaders: [] };
  const spared = new Set([process.pid]);
  const killed = sweep(systemProcesses, marks, spared);
  if (killed === 0) return;
  log.warn({ killed }, 'processes of a former life were left and have been killed');
  // Until they are gone they hold what the new ones want, such as a port. The system's time, not the clock's.
  for (let look = 0; look < MOST_LOOKS && sweep(systemProcesses, marks, spared) > 0; look++) {
    await setTimeout(LOOK_EVERY_MS);
  }
}

/** Below the state folder, or, where that makes too long a path for a socket, in a temporary folder. */
async function makeRunFolder(folder: string): Promise<string> {
  const home = join(folder, 'run');
  const note = join(folder, 'run-elsewhere');
  await rm(home, { recursive: true, force: true });
  const elsewhere = await readFile(note, 'utf8').catch(() => '');
  if (elsewhere.includes('rouse-')) await rm(elsewhere, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (Buffer.byteLength(home) <= LONGEST_RUN_FOLDER) {
    await mkdir(home, { mode: 0o700 });
    return home;
  }
  const made = await mkdtemp(join(tmpdir(), 'rouse-'));
  await writeFile(note, made, { mode: 0o600 });
  return made;
}
