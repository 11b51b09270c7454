import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import { readPipe } from './channel.ts';
import {
  EXTRA_FD,
  OUTPUT_GRACE_MS,
  unstarted,
  type Group,
  type GroupEnd,
  type GroupEvents,
  type Program,
} from './group.ts';
import { createLines } from './output.ts';
import { systemProcesses } from './proc.ts';
import type { Leader } from './sweep.ts';

export type SpawnEvents = Omit<GroupEvents, 'onStart' | 'onExtra'> & {
  /** Absent: who started it reads `extra`. */
  onExtra?: ((chunk: string) => void) | undefined;
};

export interface SpawnedGroup extends Omit<Group, 'assign'> {
  /** Where the extra descriptor is a pipe, this end of it. */
  readonly extra: Socket | undefined;
  /** It was given its work: how long it runs counts from now. */
  assigned(): void;
}

/** What could not be started. */
const NOT_SPAWNED: SpawnedGroup = {
  leader: undefined,
  extra: undefined,
  signal: () => {},
  assigned: () => {},
};

/** Starts a program in a session of its own, as a child of this process; `extra` may be a descriptor to hand over. */
export function spawnGroup(
  program: Program,
  extra: 'pipe' | number | undefined,
  clock: Clock,
  events: SpawnEvents,
): SpawnedGroup {
  try {
    const child = spawn(program.path, program.args, {
      cwd: program.cwd,
      env: program.environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', extra ?? 'ignore'],
    });
    return watchGroup(child, clock, events);
  } catch (error) {
    queueMicrotask(() => events.onEnd(unstarted(`cannot be started: ${messageOf(error)}`)));
    return NOT_SPAWNED;
  }
}

/** A child in a session of its own that is, or is about to become, a program. */
export function watchGroup(child: ChildProcess, clock: Clock, events: SpawnEvents): SpawnedGroup {
  let startedAt = clock.now();
  let isAlive = child.pid !== undefined;
  const finishLines = readOutput(child, clock, events);
  const pipe = child.stdio[EXTRA_FD];
  const extra = pipe instanceof Socket ? pipe : undefined;
  if (extra && events.onExtra) readPipe(extra, events.onExtra);
  let timer: Timer | undefined;
  let ended: GroupEnd | undefined;

  function end(): void {
    if (!ended) return;
    timer?.cancel();
    finishLines();
    events.onEnd(ended);
    ended = undefined;
    for (const stream of child.stdio) stream?.destroy();
  }

  child.once('error', (error) => {
    if (child.pid !== undefined) return;
    ended = unstarted(`cannot be started: ${error.message}`);
    end();
  });
  child.once('exit', (status, signal) => {
    isAlive = false;
    const seconds = ((clock.now() - startedAt) / 1000).toFixed(1);
    const by = signal === null ? `exited with status ${status}` : `ended by signal ${signal}`;
    ended = { how: `${by} after ${seconds}s`, status };
    events.onExit();
    timer = clock.after(OUTPUT_GRACE_MS, end);
  });
  child.once('close', end);
  return {
    leader: leaderOf(child.pid),
    extra,
    signal(signal) {
      if (isAlive && child.pid !== undefined) systemProcesses.signal(-child.pid, signal);
    },
    assigned() {
      startedAt = clock.now();
    },
  };
}

function leaderOf(pid: number | undefined): Leader | undefined {
  if (pid === undefined) return undefined;
  return { pid, startTicks: systemProcesses.stat(pid)?.startTicks ?? 0 };
}

function readOutput(child: ChildProcess, clock: Clock, events: SpawnEvents): () => void {
  const finish = (['stdout', 'stderr'] as const).map((name) => {
    const lines = createLines({ clock, onLine: (text) => events.onLine(name, text) });
    const stream = child[name];
    stream?.on('error', () => {});
    stream?.on('data', (chunk: Buffer) => {
      const pauseMs = lines.write(chunk);
      if (pauseMs === 0) return;
      stream.pause();
      clock.after(pauseMs, () => stream.resume());
    });
    return () => lines.end();
  });
  return () => {
    for (const end of finish) end();
  };
}
