import type { Assignment } from '#domain/launch.ts';
import type {
  InstanceOrigin,
  PoolView,
  RuntimeEvent,
  RuntimePool,
  Workload,
} from '../../runtime.ts';
import type { Extra, Group, Program } from '../process/group.ts';
import type { ProcessHost, ProcessEvents } from '../process/process-host.ts';
import type { PoolRuntime, Prepared } from '../prepare/prepare.ts';
import { isPoolRuntime, misfitOf, refusalOf, type Miss } from './fit.ts';
import type { StandbyProcess } from './standby-process.ts';
import { createStock, type StockView } from './stock.ts';
import { ENV_INSTANCE } from '../process/sweep.ts';

/**
 * Instances that begin in processes that stand by.
 *
 * 1. A process serves one model, once: it leaves the stock when it is reserved.
 * 2. It has the id, and with it the mark, of the instance that it becomes. What is started in its stead bears
 *    another mark, so that burying one never hits the other.
 * 3. Nothing that happens to it fails a start: until it has said that it has its work, another one is started.
 */
export interface Pool extends RuntimePool {
  /** The id of a process for this workload, which is nobody else's from now on. */
  reserve(workload: Workload): string | undefined;
  /** Starts the program of an instance: in the process that bears its id, or in a fresh one. */
  start(id: string, program: Program, extra: Extra, events: ProcessEvents): Started;
  onEvent(event: RuntimeEvent): void;
  close(): void;
}

interface Started {
  readonly group: Group;
  readonly origin: InstanceOrigin;
}

/** How often an instance could begin in a process of a kind, and how often not. */
interface Tally {
  hits: number;
  readonly misses: Partial<Record<Miss, number>>;
}

export function createPool(
  options: {
    stateId: string;
    host: ProcessHost;
    known: (key: string) => Prepared | undefined;
  } & Parameters<typeof createStock>[0],
): Pool {
  const { stateId, host, known } = options;
  const stock = createStock(options);
  const reserved = new Map<string, StandbyProcess>();
  const tallies = new Map<PoolRuntime, Tally>();

  function tallyOf(runtime: PoolRuntime): Tally {
    const found = tallies.get(runtime);
    if (found) return found;
    const tally = { hits: 0, misses: {} };
    tallies.set(runtime, tally);
    return tally;
  }

  function tallied(view: StockView): PoolView {
    return { ...view, ...tallyOf(view.runtime) };
  }

  function missed(runtime: PoolRuntime, reason: Miss): undefined {
    const { misses } = tallyOf(runtime);
    misses[reason] = (misses[reason] ?? 0) + 1;
  }

  function taken(runtime: PoolRuntime): void {
    tallyOf(runtime).hits++;
    stock.proved(runtime);
  }

  /** Gives it its work. As long as it has not said that it has it, its end is nobody's failure. */
  function assign(standby: StandbyProcess, program: Program, events: ProcessEvents): Group {
    const { id, runtime } = standby;
    let current = standby.group;
    let isTold = false;
    const environment = { ...program.environment, [ENV_INSTANCE]: `${stateId}/${id}` };
    const work: Assignment = { environment, cwd: program.cwd };
    standby.assign(work, {
      ...events,
      onTaken: () => taken(runtime),
      onEnd(end) {
        if (standby.isTaken || isTold) return events.onEnd(end);
        missed(runtime, 'died');
        current = startInstead(id, program, 'pipe', events);
      },
    });
    queueMicrotask(() => {
      if (standby.group.leader) events.onStart?.(standby.group.leader);
    });
    return {
      get leader() {
        return current.leader;
      },
      signal(signal) {
        if (signal === 'SIGTERM' || signal === 'SIGKILL') isTold = true;
        current.signal(signal);
      },
      assign: () => {},
    };
  }

  function startInstead(id: string, program: Program, extra: Extra, events: ProcessEvents): Group {
    return host.start(`${id}-0`, program, extra, events);
  }

  return {
    keep: (runtimes) => stock.keep(runtimes.filter(isPoolRuntime)),
    views: () => stock.views().map(tallied),
    reserve(workload) {
      const { runtime } = workload.spec;
      if (!isPoolRuntime(runtime) || !stock.keeps(runtime)) return undefined;
      const found = stock.take(runtime, (program) =>
        refusalOf(workload, known(workload.key), program),
      );
      if (typeof found === 'string') return missed(runtime, found);
      reserved.set(found.id, found);
      return found.id;
    },
    start(id, program, extra, events) {
      const standby = reserved.get(id);
      if (!standby) return { group: host.start(id, program, extra, events), origin: 'fresh' };
      reserved.delete(id);
      const miss = standby.state === 'idle' ? misfitOf(program, standby.program) : 'died';
      if (!miss) return { group: assign(standby, program, events), origin: 'pool' };
      missed(standby.runtime, miss);
      standby.end();
      return { group: startInstead(id, program, extra, events), origin: 'fresh' };
    },
    onEvent(event) {
      const { type, instance } = event;
      // It ended before its program was started.
      if (type !== 'instance') {
        reserved.get(instance.id)?.end();
        reserved.delete(instance.id);
      }
      stock.onEvent(event);
    },
    close: () => stock.close(),
  };
}
