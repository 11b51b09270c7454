import type { ChildProcess } from 'node:child_process';
import type { Server, Socket } from 'node:net';
import { systemClock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { descriptorOf, stopReading } from './handles.ts';
import { unstarted } from './group.ts';
import { createPrefork } from './prefork.ts';
import { spawnGroup, watchGroup, type SpawnedGroup, type SpawnEvents } from './spawn-group.ts';
import type { FromSpawner, ToSpawner } from './spawner-messages.ts';

/**
 * The process that all programs are started by: see `spawner.ts`. It does what it is told and says what it sees.
 * When Rouse has gone it goes, too; the watchdog ends what it started.
 */

/** Output that Rouse has not read yet. What comes beyond it is counted and dropped. */
const MOST_UNREAD_CHARS = 16 * 1024 * 1024;

const groups = new Map<number, SpawnedGroup>();
const prefork = createPrefork({
  clock: systemClock,
  onBound: (port) => say({ type: 'bound', port }),
  onUnbound: (port) => say({ type: 'unbound', port }),
});
let unread = 0;
let dropped = 0;

/** When it cannot be said, Rouse has gone: `disconnect` follows. */
function say(message: FromSpawner, onSaid: () => void = () => {}): void {
  process.send?.(message, onSaid);
}

function sayLine(id: number, stream: 'stdout' | 'stderr', text: string): void {
  if (unread > MOST_UNREAD_CHARS) {
    dropped++;
    return;
  }
  if (dropped > 0) {
    const note = `… ${dropped} lines of all models dropped: Rouse was too busy to read them`;
    dropped = 0;
    say({ type: 'line', id, stream, text: note });
  }
  unread += text.length;
  say({ type: 'line', id, stream, text }, () => {
    unread -= text.length;
  });
}

type Start = Extract<ToSpawner, { type: 'start' }>;

function start(message: Start, socket?: Server): void {
  const { id, extra } = message;
  const isChannel = extra === 'channel';
  const group = run(message, socket, {
    onLine: (stream, text) => sayLine(id, stream, text),
    onExtra: isChannel ? undefined : (chunk) => say({ type: 'extra', id, chunk }),
    onExit: () => say({ type: 'exit', id }),
    onEnd(end) {
      groups.delete(id);
      say({ type: 'end', id, end });
    },
  });
  groups.set(id, group);
  if (!group.leader) return;
  const started = { type: 'started', id, leader: group.leader } as const;
  if (isChannel && group.extra) handOver(started, group.extra);
  else say(started);
}

/** What is said there meanwhile is for Rouse to read. */
function handOver(message: FromSpawner, pipe: Socket): void {
  stopReading(pipe);
  process.send?.(message, pipe, {}, () => pipe.destroy());
}

function run(message: Start, socket: Server | undefined, events: SpawnEvents): SpawnedGroup {
  const { program, extra } = message;
  if (extra !== 'none') prefork.wanted(isPipe(extra) ? 'pipe' : 'socket');
  const child = forked(message);
  if (child) return watchGroup(child, systemClock, events);
  return spawnGroup(program, extraOf(extra, socket), systemClock, events);
}

function isPipe(extra: Start['extra']): boolean {
  return extra === 'pipe' || extra === 'channel';
}

function forked({ program, extra }: Start): ChildProcess | undefined {
  if (isPipe(extra)) return prefork.piped(program);
  return typeof extra === 'number' ? prefork.bound(extra, program) : undefined;
}

function extraOf(extra: Start['extra'], socket?: Server): 'pipe' | number | undefined {
  if (extra === 'none') return undefined;
  if (isPipe(extra)) return 'pipe';
  // It cannot run: the system says why.
  if (typeof extra === 'number') return undefined;
  if (socket) return descriptorOf(socket);
  throw new Fault('internal', 'the listening socket was lost on its way');
}

function begin(message: Start, socket?: Server): void {
  try {
    start(message, socket);
  } catch (error) {
    const isLost = error instanceof Fault && error.code === 'unavailable';
    const end = { ...unstarted(`cannot be started: ${messageOf(error)}`), isLost };
    say({ type: 'end', id: message.id, end });
  } finally {
    // In the turn of the loop in which it came: later we would take connections ourselves.
    socket?.close();
  }
}

function obey(message: ToSpawner, socket?: Server): void {
  if (message.type === 'confirm') say(message);
  else if (message.type === 'start') begin(message, socket);
  else if (message.type === 'discard') prefork.discard(message.port);
  else if (message.type === 'signal') groups.get(message.id)?.signal(message.signal);
  else groups.get(message.id)?.assigned();
}

if (!process.send) throw new Error('the spawner is started by Rouse only');
// Ends with Rouse only: a signal to all processes of a terminal or a service is not for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('message', obey);
process.once('disconnect', () => process.exit());
