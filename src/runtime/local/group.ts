import { spawn, type ChildProcess } from 'node:child_process';
import { Duplex } from 'node:stream';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { LogLine } from '../runtime.ts';
import type { Environment } from './environment.ts';
import { createLines } from './output.ts';
import { systemProcesses } from './proc.ts';
import type { Leader } from './sweep.ts';

/** A program to run, without a shell. */
export interface Program {
  /** Absolute, so that no search path decides at the start. */
  readonly path: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: Environment;
}

/** The file descriptor after stdin, stdout and stderr: the readiness pipe, the result, a listening socket. */
export const EXTRA_FD = 3;

export interface GroupEvents {
  onLine(stream: LogLine['stream'], text: string): void;
  /** The extra descriptor is a pipe: what was written to it so far, each time more comes. */
  onExtra?(text: string): void;
  /** Its first process has ended; output may still come. */
  onExit(): void;
  /** It is gone, or could not be started; exactly once, and never before `startGroup` has returned. */
  onEnd(how: string): void;
}

export interface Group {
  /** Undefined: it could not be started, `onEnd` says why. */
  readonly leader: Leader | undefined;
  /** To all of the group, as long as its first process is there: then the pid cannot be another's. */
  signal(signal: NodeJS.Signals): void;
  /**
   * Gives it its work, where the extra descriptor is a pipe. What it says there, and how long it runs, counts
   * from now.
   */
  assign(text: string): void;
}

/** What could not be started. */
export const NO_GROUP: Group = { leader: undefined, signal: () => {}, assign: () => {} };

/** Output that grandchildren hold open is not waited for longer than this after the end. */
const OUTPUT_GRACE_MS = 100;
/** Room for the inspection of a model with thousands of labels; whoever writes more has misunderstood. */
const EXTRA_CHARS = 4 * 1024 * 1024;

/** A pipe, or a file descriptor to hand over. */
export type Extra = 'pipe' | number | undefined;

/** Starts a program in a session of its own. */
export function startGroup(
  program: Program,
  extra: Extra,
  clock: Clock,
  events: GroupEvents,
): Group {
  let startedAt = clock.now();
  let child: ChildProcess;
  try {
    child = spawn(program.path, program.args, {
      cwd: program.cwd,
      env: program.environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', extra ?? 'ignore'],
    });
  } catch (error) {
    queueMicrotask(() => events.onEnd(`cannot be started: ${messageOf(error)}`));
    return NO_GROUP;
  }
  let isAlive = child.pid !== undefined;
  const finishLines = readOutput(child, clock, events);
  const sendExtra = extra === 'pipe' ? openExtra(child, events) : () => {};
  let timer: Timer | undefined;
  let how: string | undefined;

  function end(): void {
    if (how === undefined) return;
    timer?.cancel();
    finishLines();
    events.onEnd(how);
    how = undefined;
    for (const stream of child.stdio) stream?.destroy();
  }

  child.once('error', (error) => {
    if (child.pid !== undefined) return;
    how = `cannot be started: ${error.message}`;
    end();
  });
  child.once('exit', (status, signal) => {
    isAlive = false;
    const seconds = ((clock.now() - startedAt) / 1000).toFixed(1);
    how =
      signal === null
        ? `exited with status ${status} after ${seconds}s`
        : `ended by signal ${signal} after ${seconds}s`;
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

function readOutput(child: ChildProcess, clock: Clock, events: GroupEvents): () => void {
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
function openExtra(child: ChildProcess, events: GroupEvents): (text: string) => void {
  const pipe = child.stdio[EXTRA_FD];
  if (!(pipe instanceof Duplex)) return () => {};
  let text = '';
  pipe.setEncoding('utf8');
  pipe.on('error', () => {});
  pipe.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > EXTRA_CHARS) pipe.destroy();
    else events.onExtra?.(text);
  });
  return (sent) => {
    text = '';
    pipe.write(sent);
  };
}
