import { rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  ENV_KIND,
  ENV_READY_FD,
  ENV_SOCKET,
  ENV_STANDBY,
  type Assignment,
} from '#domain/launch.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { InstanceOrigin, PoolView, RuntimeEvent, RuntimePool, Workload } from '../runtime.ts';
import { EXTRA_FD, type Extra, type Group, type Program } from './group.ts';
import type { Host, HostEvents } from './host.ts';
import type { PoolRuntime, Prepared } from './prepare.ts';
import { systemProcesses } from './proc.ts';
import { isPoolRuntime, misfitOf, refusalOf, type Miss } from './standby.ts';
import { ENV_INSTANCE } from './sweep.ts';

/**
 * Processes that have loaded all but a model, and stand by.
 *
 * 1. A process serves one model, once: it leaves the pool when it is reserved, and never comes back.
 * 2. It has the id, and with it the mark, of the instance that it becomes. What is started in its stead bears
 *    another mark, so that burying one never hits the other.
 * 3. Nothing that happens to it fails a start: until it has said that it has its work, another one is started.
 * 4. Starts of instances go first: one process at a time is made, when none starts, or has for long.
 */
export interface Pool extends RuntimePool {
  /** The id of a process for this workload, which is nobody else's from now on. */
  reserve(workload: Workload): string | undefined;
  /** Starts the program of an instance: in the process that bears its id, or in a fresh one. */
  start(id: string, program: Program, extra: Extra, events: HostEvents): Started;
  onEvent(event: RuntimeEvent): void;
  close(): void;
}

interface Started {
  readonly group: Group;
  readonly origin: InstanceOrigin;
}

/** The request that waited for a start has the processor for itself first. */
const QUIET_MS = 100;
/** One instance that loads for minutes does not keep the pool empty for all others. */
const PATIENCE_MS = 5000;
/** Far more than it takes on a slow and busy machine. */
const WARM_MS = 60_000;
/** Waits after a process that ended by itself, doubled each time in a row. */
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

interface Shelf {
  readonly runtime: PoolRuntime;
  readonly members: Set<Member>;
  readonly misses: Partial<Record<Miss, number>>;
  hits: number;
  program: Program | undefined;
  failures: number;
  retryAt: number;
}

interface Member {
  readonly id: string;
  readonly shelf: Shelf;
  readonly program: Program;
  readonly socket: string;
  state: 'starting' | 'idle' | 'reserved' | 'assigned' | 'gone';
  /** It has said that it has its work: what it does from now on is the instance's. */
  isTaken: boolean;
  group: Group | undefined;
  work: HostEvents | undefined;
  memoryBytes: number;
  timer: Timer | undefined;
}

export function createPool(options: {
  /** Processes for each kind. */
  size: number;
  stateId: string;
  runFolder: string;
  host: Host;
  clock: Clock;
  log: Log;
  newId: () => string;
  known: (key: string) => Prepared | undefined;
  generic: (runtime: PoolRuntime) => Promise<Program>;
}): Pool {
  const { size, stateId, runFolder, host, clock, log, newId, known, generic } = options;
  const shelves = new Map<PoolRuntime, Shelf>();
  const kept = new Set<PoolRuntime>();
  const reserved = new Map<string, Member | undefined>();
  /** Instances that start, with the time since when. */
  const starting = new Map<string, number>();
  let quietSince = -QUIET_MS;
  let timer: Timer | undefined;
  let isLooking = false;
  let closed = false;

  function shelfOf(runtime: PoolRuntime): Shelf {
    const found = shelves.get(runtime);
    if (found) return found;
    const shelf: Shelf = {
      runtime,
      members: new Set(),
      misses: {},
      hits: 0,
      program: undefined,
      failures: 0,
      retryAt: 0,
    };
    shelves.set(runtime, shelf);
    return shelf;
  }

  function lacking(): Shelf[] {
    return Array.from(kept, shelfOf).filter(({ members }) => members.size < size);
  }

  function isWarming(): boolean {
    for (const { members } of shelves.values()) {
      for (const { state } of members) if (state === 'starting') return true;
    }
    return isLooking;
  }

  /** Makes one more process, or waits until it may. */
  function refill(): void {
    timer?.cancel();
    const shelf = lacking().toSorted((a, b) => a.retryAt - b.retryAt)[0];
    if (closed || !shelf || isWarming()) return;
    const [oldest] = starting.values();
    const turn = oldest === undefined ? quietSince + QUIET_MS : oldest + PATIENCE_MS;
    const wait = Math.max(turn, shelf.retryAt) - clock.now();
    if (wait > 0) timer = clock.after(wait, refill);
    else void look(shelf);
  }

  async function look(shelf: Shelf): Promise<void> {
    isLooking = true;
    try {
      shelf.program = await generic(shelf.runtime);
    } catch (error) {
      failed(shelf, messageOf(error));
    } finally {
      isLooking = false;
    }
    const isWanted = !closed && kept.has(shelf.runtime) && shelf.retryAt <= clock.now();
    if (isWanted && shelf.program) make(shelf, shelf.program);
    else refill();
  }

  function make(shelf: Shelf, program: Program): void {
    const id = newId();
    const member: Member = {
      id,
      shelf,
      program,
      socket: join(runFolder, id),
      state: 'starting',
      isTaken: false,
      group: undefined,
      work: undefined,
      memoryBytes: 0,
      timer: undefined,
    };
    shelf.members.add(member);
    member.group = host.start(id, standbyProgram(member), 'pipe', {
      onLine: (stream, text) => {
        if (member.work) member.work.onLine(stream, text);
        else log.debug({ runtime: shelf.runtime, stream, text }, 'a process that stands by');
      },
      onExtra: (text) => hear(member, text),
      onExit: () => member.isTaken && member.work?.onExit?.(),
      onUsage(memoryBytes, cpuSeconds) {
        member.memoryBytes = memoryBytes;
        member.work?.onUsage?.(memoryBytes, cpuSeconds);
      },
      onEnd: (how) => ended(member, how),
    });
    member.timer = clock.after(WARM_MS, () => member.group?.signal('SIGKILL'));
  }

  function hear(member: Member, text: string): void {
    if (!text.startsWith('\n')) return;
    if (member.state === 'starting') {
      member.timer?.cancel();
      member.state = 'idle';
      const { leader } = member.group ?? {};
      member.memoryBytes = leader ? (systemProcesses.stat(leader.pid)?.memoryBytes ?? 0) : 0;
      refill();
    } else if (member.state === 'assigned') {
      if (!member.isTaken) {
        member.isTaken = true;
        member.shelf.hits++;
        member.shelf.failures = 0;
      }
      member.work?.onExtra?.(text.slice(1));
    }
  }

  function ended(member: Member, how: string): void {
    const { shelf, state, work } = member;
    member.timer?.cancel();
    member.state = 'gone';
    shelf.members.delete(member);
    if (work) return work.onEnd(how);
    if (state === 'gone') return;
    rmSync(member.socket, { force: true });
    if (reserved.has(member.id)) reserved.set(member.id, undefined);
    failed(shelf, how);
    refill();
  }

  function failed(shelf: Shelf, how: string): void {
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** shelf.failures);
    shelf.failures++;
    shelf.retryAt = clock.now() + wait;
    log.warn(
      { runtime: shelf.runtime, how },
      'a process that stood by has ended, or could not start',
    );
  }

  function end(member: Member): void {
    member.state = 'gone';
    member.timer?.cancel();
    member.shelf.members.delete(member);
    // Now, not when it has ended: by then another one may listen there.
    rmSync(member.socket, { force: true });
    member.group?.signal('SIGKILL');
  }

  function missed({ misses }: Shelf, reason: Miss): undefined {
    misses[reason] = (misses[reason] ?? 0) + 1;
  }

  /** The instance ended before its program was started. */
  function release(id: string): void {
    const member = reserved.get(id);
    reserved.delete(id);
    if (member) end(member);
  }

  /** Gives it its work. As long as it has not said that it has it, its end is nobody's failure. */
  function assign(member: Member, program: Program, events: HostEvents): Started {
    let current = member.group;
    let isTold = false;
    member.state = 'assigned';
    member.work = {
      ...events,
      onEnd(how) {
        if (member.isTaken || isTold) return events.onEnd(how);
        missed(member.shelf, 'died');
        rmSync(member.socket, { force: true });
        current = startInstead(member.id, program, 'pipe', events);
      },
    };
    const environment = { ...program.environment, [ENV_INSTANCE]: `${stateId}/${member.id}` };
    const work: Assignment = { environment, cwd: program.cwd };
    member.group?.assign(`${JSON.stringify(work)}\n`);
    queueMicrotask(() => {
      if (member.group?.leader) events.onStart?.(member.group.leader);
    });
    const group: Group = {
      get leader() {
        return current?.leader;
      },
      signal(signal) {
        if (signal === 'SIGTERM' || signal === 'SIGKILL') isTold = true;
        current?.signal(signal);
      },
      assign: () => {},
    };
    return { group, origin: 'pool' };
  }

  function startInstead(id: string, program: Program, extra: Extra, events: HostEvents): Group {
    return host.start(`${id}-0`, program, extra, events);
  }

  return {
    keep(runtimes) {
      kept.clear();
      for (const runtime of runtimes) if (isPoolRuntime(runtime)) kept.add(runtime);
      for (const runtime of kept) shelfOf(runtime);
      for (const { runtime, members } of shelves.values()) {
        if (!kept.has(runtime)) for (const member of members) end(member);
      }
      refill();
    },
    views: () => Array.from(shelves.values(), viewOf),
    reserve(workload) {
      const { runtime } = workload.spec;
      if (!isPoolRuntime(runtime) || !kept.has(runtime) || closed) return undefined;
      const shelf = shelfOf(runtime);
      const member = Array.from(shelf.members).find(({ state }) => state === 'idle');
      if (!member) return missed(shelf, 'empty');
      const refusal = refusalOf(workload, known(workload.key), member.program);
      if (refusal) return missed(shelf, refusal);
      member.state = 'reserved';
      shelf.members.delete(member);
      reserved.set(member.id, member);
      return member.id;
    },
    start(id, program, extra, events) {
      if (!reserved.has(id))
        return { group: host.start(id, program, extra, events), origin: 'fresh' };
      const member = reserved.get(id);
      reserved.delete(id);
      const misfit = member && misfitOf(program, member.program);
      if (member && !misfit) return assign(member, program, events);
      const runtime = program.environment[ENV_KIND];
      if (isPoolRuntime(runtime)) missed(shelfOf(runtime), misfit ?? 'died');
      if (member) end(member);
      return { group: startInstead(id, program, extra, events), origin: 'fresh' };
    },
    onEvent({ type, instance: { id, state } }) {
      if (type === 'instance' && state === 'starting') {
        if (starting.has(id)) return;
        starting.set(id, clock.now());
        refill();
        return;
      }
      if (type !== 'instance') release(id);
      if (!starting.delete(id)) return;
      if (starting.size === 0) quietSince = clock.now();
      refill();
    },
    close() {
      closed = true;
      timer?.cancel();
      for (const { members } of shelves.values()) for (const member of members) end(member);
    },
  };
}

function standbyProgram({ program, shelf, socket }: Member): Program {
  const variables = {
    [ENV_STANDBY]: '1',
    [ENV_KIND]: shelf.runtime,
    [ENV_SOCKET]: socket,
    [ENV_READY_FD]: String(EXTRA_FD),
  };
  return { ...program, environment: { ...program.environment, ...variables } };
}

function viewOf({ runtime, members, hits, misses }: Shelf): PoolView {
  const all = Array.from(members);
  return {
    runtime,
    starting: all.filter(({ state }) => state === 'starting').length,
    idle: all.filter(({ state }) => state === 'idle').length,
    memoryBytes: all.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    hits,
    misses,
  };
}
