import { rmSync } from 'node:fs';
import {
  ENV_KIND,
  ENV_READY_FD,
  ENV_SOCKET,
  ENV_STANDBY,
  type Assignment,
} from '#domain/launch.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { EXTRA_FD, type Group, type GroupEnd, type Program } from '../process/group.ts';
import type { ProcessHost, ProcessEvents } from '../process/process-host.ts';
import type { PoolRuntime } from '../prepare/prepare.ts';
import { systemProcesses } from '../process/proc.ts';

/**
 * A process that loads all but a model, and then waits for one.
 *
 * 1. It gets work once, and says when it has it. Until then what becomes of it is not the instance's.
 * 2. Its socket is gone before anybody hears that it has ended: another one may listen there then.
 */
export interface StandbyProcess {
  readonly id: string;
  readonly runtime: PoolRuntime;
  readonly program: Program;
  readonly state: 'starting' | 'idle' | 'assigned' | 'gone';
  /** It has said that it has its work. */
  readonly isTaken: boolean;
  readonly memoryBytes: number;
  readonly group: Group;
  assign(work: Assignment, events: WorkEvents): void;
  /** Ends it by force; `onLost` is not called. */
  end(): void;
}

/** What it does with its work. `onEnd` comes also when it has not taken it. */
export interface WorkEvents extends ProcessEvents {
  onTaken(): void;
}

/** Far more than it takes on a slow and busy machine. */
const WARM_MS = 60_000;

export function startStandbyProcess(options: {
  id: string;
  runtime: PoolRuntime;
  program: Program;
  /** Where it is to listen. */
  socket: string;
  host: ProcessHost;
  clock: Clock;
  onLine: ProcessEvents['onLine'];
  onIdle(): void;
  /** It has ended by itself, without work. */
  onLost(how: string): void;
}): StandbyProcess {
  const { id, runtime, program, socket, host, clock } = options;
  let state: StandbyProcess['state'] = 'starting';
  let isTaken = false;
  let memoryBytes = 0;
  let work: WorkEvents | undefined;

  function hear(text: string): void {
    if (!text.startsWith('\n')) return;
    if (state === 'starting') warmed();
    else if (state === 'assigned') {
      if (!isTaken) {
        isTaken = true;
        work?.onTaken();
      }
      work?.onExtra?.(text.slice(1));
    }
  }

  function warmed(): void {
    timer.cancel();
    state = 'idle';
    const { leader } = group;
    memoryBytes = leader ? (systemProcesses.stat(leader.pid)?.memoryBytes ?? 0) : 0;
    options.onIdle();
  }

  function ended(end: GroupEnd): void {
    const wasGone = state === 'gone';
    leave();
    if (!isTaken && !wasGone) rmSync(socket, { force: true });
    if (work) work.onEnd(end);
    else if (!wasGone) options.onLost(end.how);
  }

  function leave(): void {
    timer.cancel();
    state = 'gone';
  }

  const group = host.start(id, standbyProgram(program, runtime, socket), 'channel', {
    onLine: (stream, text) => (work ?? options).onLine(stream, text),
    onExtra: hear,
    onExit: () => isTaken && work?.onExit?.(),
    onUsage(bytes, cpuSeconds) {
      memoryBytes = bytes;
      work?.onUsage?.(bytes, cpuSeconds);
    },
    onEnd: ended,
  });
  const timer: Timer = clock.after(WARM_MS, () => group.signal('SIGKILL'));

  return {
    id,
    runtime,
    program,
    group,
    get state() {
      return state;
    },
    get isTaken() {
      return isTaken;
    },
    get memoryBytes() {
      return memoryBytes;
    },
    assign(given, events) {
      state = 'assigned';
      work = events;
      group.assign(`${JSON.stringify(given)}\n`);
    },
    end() {
      if (state === 'gone') return;
      leave();
      // Now, not when it has ended: by then another one may listen there.
      rmSync(socket, { force: true });
      group.signal('SIGKILL');
    },
  };
}

function standbyProgram(program: Program, runtime: PoolRuntime, socket: string): Program {
  const variables = {
    [ENV_STANDBY]: '1',
    [ENV_KIND]: runtime,
    [ENV_SOCKET]: socket,
    [ENV_READY_FD]: String(EXTRA_FD),
  };
  return { ...program, environment: { ...program.environment, ...variables } };
}
