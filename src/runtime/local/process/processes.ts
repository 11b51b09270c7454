import { systemClock, type Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import type { Environment } from '../environment.ts';
import { createGuard } from './guard.ts';
import { createMeter } from './meter.ts';
import { createProcessHost, type ProcessHost } from './process-host.ts';
import { createReaper } from './reaper.ts';
import { createSpawner, type Spawner } from './spawner.ts';
import { ENV_INSTANCE } from './sweep.ts';

/** All processes of one life of Rouse: none runs but by one of the two hosts, and none outlives it. */
export interface Processes {
  readonly host: ProcessHost;
  /** For programs that live shortly; they are measured more often. */
  readonly toolHost: ProcessHost;
  readonly takeBound: Spawner['takeBound'];
  /** In the environment of a process: it is ended with the instances, by the watchdog and by the next start. */
  readonly environment: Readonly<Environment>;
  /** All that runs counts as ended, and is killed. */
  kill(why: string): void;
  /** Once both hosts are closed. */
  close(): Promise<void>;
}

/** Often enough to stop what grows before it hurts others, seldom enough to cost nothing with 1,000 instances. */
const MEASURE_MS = 2000;
/** What is looked into is a stranger's file and lives shortly. */
const MEASURE_TOOLS_MS = 200;

export function createProcesses(options: {
  stateId: string;
  /** Random: this life's ids begin with it. */
  life: string;
  runFolder: string;
  clock: Clock;
  log: Log;
}): Processes {
  const { stateId, life, runFolder, clock, log } = options;
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
  return {
    host: createProcessHost({ stateId, spawner, guard, reaper, meter }),
    toolHost: createProcessHost({ stateId, spawner, guard, reaper, meter: toolMeter }),
    takeBound: () => spawner.takeBound(),
    environment,
    kill: (why) => spawner.kill(why),
    async close() {
      await spawner.close();
      reaper.close();
      meter.close();
      toolMeter.close();
      await guard.close();
    },
  };
}
