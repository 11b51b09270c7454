import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import { Server, Socket } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import type { Log } from '#lib/log.ts';
import { type Environment, helperEnvironment } from '../environment.ts';
import {
  unstarted,
  type Bound,
  type Extra,
  type Group,
  type GroupEnd,
  type GroupEvents,
  type Program,
} from './group.ts';
import { createAttended } from './attended.ts';
import { createChannel, type Channel } from './channel.ts';
import type { FromGroup, FromPrefork, FromSpawner, ToSpawner } from './spawner-messages.ts';
import type { Leader } from './sweep.ts';

/**
 * Starts programs from a small process of its own. Node starts a program by fork(2), which copies the page table
 * of the process that asks: of Rouse, with the heaps of two threads, that takes several milliseconds, in which
 * the data plane's thread stumbles over every page that it writes to.
 *
 * 1. A group's events come in the order in which they happened, `onStart` first, `onEnd` last.
 * 2. When the spawner dies, all that it started counts as ended at once, by no doing of its own: `onExit`, then
 *    `onEnd`. What is to be started then waits for the next one.
 * 3. One that leaves an order unanswered for long is killed: then it has died.
 */
export interface Spawner {
  start(program: Program, extra: Extra, events: GroupEvents): Group;
  /** The caller's, to start a program with or to discard. */
  takeBound(): Bound | undefined;
  /** For tests that kill or stop it. */
  pid(): number | undefined;
  /** What it started counts as ended. Another takes its place, unless it is closed. */
  kill(why: string): void;
  close(): Promise<void>;
}

/** It holds no more than output that is on its way. */
const FLAGS = ['--max-old-space-size=64', '--max-semi-space-size=1', '--no-warnings'];
const LOST: GroupEnd = {
  how: 'was ended: the process that starts programs has died',
  status: null,
  isLost: true,
};

interface Started {
  readonly events: GroupEvents;
  leader: Leader | undefined;
  /** What it wrote to the extra descriptor, where that is a pipe. */
  said: string;
  channel: Channel | undefined;
}

export function createSpawner(options: {
  environment: Environment;
  clock: Clock;
  log: Log;
}): Spawner {
  const { environment, clock, log } = options;
  const groups = new Map<number, Started>();
  /** To be started by the next one. */
  const waiting = new Map<number, () => void>();
  /** Ports. */
  const bound = new Set<number>();
  let count = 0;
  const attended = createAttended({
    name: 'the process that starts programs',
    start,
    onLost,
    ask: (upTo) => post({ type: 'confirm', upTo }),
    goodbye: () => attended.child()?.disconnect(),
    clock,
    log,
  });

  function start(): ChildProcess {
    const child = fork(entryUrl('./spawner-process', import.meta.url), [], {
      env: { ...environment, ...helperEnvironment(process.env) },
      execPath: process.execPath,
      execArgv: FLAGS,
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.on('message', (message: FromSpawner, handle) => hear(child, message, handle));
    queueMicrotask(startWaiting);
    return child;
  }

  function startWaiting(): void {
    if (!attended.child()?.connected) return;
    for (const [id, post] of waiting) {
      waiting.delete(id);
      post();
    }
  }

  /** Of what is not there yet only the end means anything. */
  function signalWaiting(id: number, { events }: Started, signal: NodeJS.Signals): void {
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM') return;
    waiting.delete(id);
    groups.delete(id);
    queueMicrotask(() => events.onEnd(unstarted('was not started')));
  }

  function onLost(): void {
    bound.clear();
    for (const [id, { events, channel }] of groups) {
      if (waiting.has(id)) continue;
      groups.delete(id);
      channel?.close();
      events.onExit();
      events.onEnd(LOST);
    }
  }

  function hear(child: ChildProcess, message: FromSpawner, handle: SendHandle): void {
    attended.heard(child);
    if (message.type === 'confirm') {
      attended.confirmed(message.upTo);
      return;
    }
    if ('port' in message) {
      hearPrefork(message);
      return;
    }
    const started = groups.get(message.id);
    if (handle instanceof Socket) open(started, handle);
    if (started) tell(started, message);
  }

  function hearPrefork(message: FromPrefork): void {
    if (message.type === 'bound') bound.add(message.port);
    else bound.delete(message.port);
  }

  function open(started: Started | undefined, pipe: Socket): void {
    if (!started) return void pipe.destroy();
    started.channel = createChannel(pipe, clock, (text) => started.events.onExtra?.(text));
  }

  function tell(started: Started, message: FromGroup): void {
    const { events, channel } = started;
    switch (message.type) {
      case 'started':
        started.leader = message.leader;
        events.onStart?.(message.leader);
        break;
      case 'line':
        events.onLine(message.stream, message.text);
        break;
      case 'extra':
        started.said += message.chunk;
        events.onExtra?.(started.said);
        break;
      case 'exit':
        events.onExit();
        break;
      case 'end':
        groups.delete(message.id);
        if (channel) channel.finish(() => events.onEnd(message.end));
        else events.onEnd(message.end);
        break;
      default:
    }
  }

  /**
   * A message that does not arrive belongs to a spawner that has died: `onLost` tells of it. A socket is closed
   * here once it is on its way.
   */
  function post(message: ToSpawner, socket?: Server): void {
    attended.child()?.send(message, socket, () => socket?.close());
  }

  function order(id: number, message: ToSpawner, socket?: Server): void {
    // What has ended with its spawner is none of the next one's.
    if (!groups.has(id)) return;
    post(message, socket);
    attended.ordered();
  }

  return {
    start(program, extra, events) {
      const id = count++;
      const started: Started = { events, leader: undefined, said: '', channel: undefined };
      groups.set(id, started);
      const { kind, socket } = asMessage(extra);
      const post = (): void => order(id, { type: 'start', id, program, extra: kind }, socket);
      if (attended.child()?.connected) post();
      else waiting.set(id, post);
      return {
        get leader() {
          return started.leader;
        },
        signal(signal) {
          if (waiting.has(id)) signalWaiting(id, started, signal);
          else order(id, { type: 'signal', id, signal });
        },
        assign(text) {
          started.channel?.assign(text);
          order(id, { type: 'assigned', id });
        },
      };
    },
    takeBound() {
      const [port] = bound;
      if (port === undefined) return undefined;
      bound.delete(port);
      return { port, discard: () => post({ type: 'discard', port }) };
    },
    pid: () => attended.child()?.pid,
    kill: (why) => attended.kill(why),
    close: () => attended.close(),
  };
}

type Start = Extract<ToSpawner, { type: 'start' }>;

function asMessage(extra: Extra): { kind: Start['extra']; socket?: Server } {
  if (extra === undefined) return { kind: 'none' };
  if (extra === 'pipe' || extra === 'channel') return { kind: extra };
  return extra instanceof Server ? { kind: 'socket', socket: extra } : { kind: extra.port };
}
