import type { Server } from 'node:net';
import type { LogLine } from '../../runtime.ts';
import type { Environment } from '../environment.ts';
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

/** A socket that listens on a port of 127.0.0.1, held by a process that has no program yet: see `prefork.ts`. */
export interface Bound {
  readonly port: number;
  /** No program will be started with it. */
  discard(): void;
}

/**
 * A pipe, one that is spoken through in both directions (see `channel.ts`), or a listening socket: to hand over, or
 * with the process that the program is to be.
 */
export type Extra = 'pipe' | 'channel' | Server | Bound | undefined;

/** Output that grandchildren hold open is not waited for longer than this after the end. */
export const OUTPUT_GRACE_MS = 100;

/** How a group ended. */
export interface GroupEnd {
  /** For people: "exited with status 1 after 0.4s", "ended by signal SIGKILL after 2.0s", "was not started", … */
  readonly how: string;
  /** What its first process exited with; null: a signal ended it, or it never ran, or nobody knows. */
  readonly status: number | null;
  /** By no doing of its own; what started it has died. */
  readonly isLost?: boolean;
}

export interface GroupEvents {
  /** It runs. */
  onStart?(leader: Leader): void;
  onLine(stream: LogLine['stream'], text: string): void;
  /** The extra descriptor is a pipe: what was written to it so far, each time more comes. */
  onExtra?(text: string): void;
  /** Its first process has ended; output may still come. */
  onExit(): void;
  /** It is gone, or could not be started; exactly once, and never in the call that starts it. */
  onEnd(end: GroupEnd): void;
}

export interface Group {
  /** Undefined: it does not run yet, or could not be started: `onEnd` says why. */
  readonly leader: Leader | undefined;
  /** To all of the group, as long as its first process is there: then the pid cannot be another's. */
  signal(signal: NodeJS.Signals): void;
  /**
   * Gives it its work, where the extra descriptor is a channel. What it says there, and how long it runs, counts
   * from now.
   */
  assign(text: string): void;
}

/** What could not be started. */
export const NO_GROUP: Group = { leader: undefined, signal: () => {}, assign: () => {} };

/** The end of what never ran. */
export function unstarted(how: string): GroupEnd {
  return { how, status: null };
}
