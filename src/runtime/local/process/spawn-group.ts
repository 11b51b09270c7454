import { spawn, type ChildProcess } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import {
  EXTRA_FD,
  NO_GROUP,
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
  /** `isFirst`: what was said before this chunk counts no more. */
  onExtra(chunk: string, isFirst: boolean): void;
};

/** Output that grandchildren hold open is not waited for longer than this after the end. */
const OUTPUT_GRACE_MS = 100;
/** Room for the inspection of a model with thousands of labels; whoever writes more has misunderstood. */
const EXTRA_CHARS = 4 * 1024 * 1024;

/** Starts a program in a session of its own, as a child of this process; `extra` may be a descriptor to hand over. */
export function spawnGroup(
  program: Program,
  extra: 'pipe' | number | undefined,
  clock: Clock,
  events: SpawnEvents,
): Group {
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
    return NO_GROUP;
  }
}

/** A child in a session of its own that is, or is about to become, a program. */
export function watchGroup(child: ChildProcess, clock: Clock, events: SpawnEvents): Group {
  let startedAt = clock.now();
  let isAlive = child.pid !== undefined;
  const finishLines = readOutput(child, clock, events);
  const sendExtra = openExtra(child, events);
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
    signal(signal) {
      if (isAlive && child.pid !== undefined) systemProcesses.signal(-child.pid, signal);
    },
    assign(text) {
      startedAt = clock.now();
      sendExtra(text);
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

/** Reads it, and gives what writes to it: between processes Node's pipes are sockets. */
function openExtra(child: ChildProcess, events: SpawnEvents): (text: string) => void {
  const pipe = child.stdio[EXTRA_FD];
  if (!(pipe instanceof Duplex)) return () => {};
  let chars = 0;
  pipe.setEncoding('utf8');
  pipe.on('error', () => {});
  pipe.on('data', (chunk: string) => {
    const isFirst = chars === 0;
    chars += chunk.length;
    if (chars > EXTRA_CHARS) pipe.destroy();
    else events.onExtra(chunk, isFirst);
  });
  return (sent) => {
    chars = 0;
    pipe.write(sent);
  };
}
