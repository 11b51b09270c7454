import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Clock, Timer } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { descriptorOf, portOf } from './handles.ts';
import type { Program } from './group.ts';

/**
 * Processes that are forked before there is a program for them. Node forks in two milliseconds, in which the caller
 * waits; a process that is there already becomes a program in half of that. Each is a shell in a session of its
 * own that reads what to become, and waits for it.
 *
 * 1. It becomes a program only when it was told all of it. If this process ends before, it reads the end of its
 *    input, and ends, too.
 * 2. What it is told is data: its script is fixed, and evaluates nothing.
 * 3. It becomes at most one program.
 */
export interface Prefork {
  /** Something of this kind was started: one is kept from now on. */
  wanted(kind: 'pipe' | 'socket'): void;
  /** The one with a pipe, which was told to become `program`. Undefined: there is none that could. */
  piped(program: Program): ChildProcess | undefined;
  /** The one with the listening socket of this port, as above. Throws unavailable: it has gone. */
  bound(port: number, program: Program): ChildProcess | undefined;
  /** Nobody will ask for it. */
  discard(port: number): void;
}

const SHELL = '/bin/sh';
/** Of each line the first character says what the rest is. The shell's own variables are not the program's. */
const SCRIPT = `set --
while IFS= read -r line; do
  case $line in
    d*) cd -- "\${line#d}" || exit 126; unset PWD OLDPWD SHLVL ;;
    e*) export "\${line#e}" ;;
    a*) set -- "$@" "\${line#a}" ;;
    .) exec "$@" < /dev/null ;;
  esac
done`;
/** A shell reads byte by byte, a quarter of a millisecond for each KiB: a longer order is slower than a fork. */
const MOST_ORDER_CHARS = 2048;
/** Some shells do not let these be set, or look at them. */
const SHELLS_OWN = /^(IFS|OPT[A-Z]+|PPID|E?UID|SHELLOPTS|BASH.*|LINENO|ENV|PS[0-9]|CDPATH)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** After the last start: forking the next one must not delay others that start now. */
const REFILL_MS = 100;

export function createPrefork(options: {
  clock: Clock;
  /** There is a socket that listens on this port of 127.0.0.1. */
  onBound: (port: number) => void;
  /** It has gone, by no doing of the caller. */
  onUnbound: (port: number) => void;
}): Prefork {
  const { clock, onBound, onUnbound } = options;
  const kinds = new Set<'pipe' | 'socket'>();
  const sockets = new Map<number, ChildProcess>();
  let pipe: ChildProcess | undefined;
  let isBinding = false;
  let timer: Timer | undefined;

  function refill(): void {
    if (kinds.has('pipe') && !pipe) {
      pipe = fork(
        () => 'pipe',
        () => (pipe = undefined),
      );
    }
    if (kinds.has('socket') && sockets.size === 0 && !isBinding) bind();
  }

  function bind(): void {
    isBinding = true;
    const server = createServer((connection) => connection.destroy());
    server.once('error', () => (isBinding = false));
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      isBinding = false;
      const port = portOf(server);
      const child = fork(
        () => descriptorOf(server),
        () => {
          if (sockets.delete(port)) onUnbound(port);
        },
      );
      // In the turn of the loop in which it began to listen: later we would take connections ourselves.
      server.close();
      if (!child) return;
      sockets.set(port, child);
      onBound(port);
    });
  }

  return {
    wanted(kind) {
      kinds.add(kind);
      timer?.cancel();
      timer = clock.after(REFILL_MS, refill);
    },
    piped(program) {
      if (!pipe || !canBeTold(program) || !canRun(program)) return undefined;
      const order = makeOrder(program);
      if (order.length > MOST_ORDER_CHARS) return undefined;
      const child = become(pipe, order);
      pipe = undefined;
      return child;
    },
    bound(port, program) {
      const child = sockets.get(port);
      if (!child) throw new Fault('unavailable', 'its listening socket has gone');
      if (!canRun(program)) return undefined;
      sockets.delete(port);
      return become(child, makeOrder(program));
    },
    discard(port) {
      sockets.get(port)?.stdin?.end();
    },
  };
}

/** Undefined: the system has none, and programs are forked as ever. */
function fork(extra: () => 'pipe' | number, onEnd: () => void): ChildProcess | undefined {
  try {
    const child = spawn(SHELL, ['-c', SCRIPT], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', extra()],
    });
    child.stdin?.on('error', () => {});
    child.once('error', onEnd);
    child.once('exit', onEnd);
    return child;
  } catch {
    return undefined;
  }
}

function become(child: ChildProcess, order: string): ChildProcess {
  child.removeAllListeners('error').removeAllListeners('exit');
  child.stdin?.end(order);
  return child;
}

/** What is wrong with one that cannot, the system says better than a shell. */
function canRun({ path, cwd }: Program): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(cwd).isDirectory();
  } catch {
    return false;
  }
}

/** Whether a shell can be told of it, line by line. */
export function canBeTold({ args, cwd, environment }: Omit<Program, 'path'>): boolean {
  const names = Object.keys(environment);
  if (names.some((name) => !NAME.test(name) || SHELLS_OWN.test(name))) return false;
  return ![cwd, ...args, ...Object.values(environment)].some((word) => /[\n\0]/.test(word));
}

function makeOrder({ path, args, cwd, environment }: Program): string {
  const lines = [
    `d${cwd}`,
    ...Object.entries(environment).map(([name, value]) => `e${name}=${value}`),
    ...[path, ...args].map((word) => `a${word}`),
    '.',
  ];
  return `${lines.join('\n')}\n`;
}
