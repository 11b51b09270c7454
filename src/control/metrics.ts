import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { COLD_START_BUCKETS, COLD_START_HELP, secondsOfStart } from '#domain/cold-start.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { Instance, Runtime, RuntimePool } from '#runtime/runtime.ts';

/** What control measures of itself. Label values come from stored revisions and fixed words only. */
export interface ControlMetrics {
  started(revision: string): void;
  becameReady(instance: Instance): void;
  /** `reason`: a class such as `use`, `idle`, `floor:min`; `change`: by how many instances. */
  decided(reason: string, change: number): void;
  /** A policy of a part has decided; both are fixed words. */
  counted(policy: string, decision: string): void;
  /** The series of a revision that was deleted go too. */
  forget(revision: string): void;
  text(): Promise<string>;
}

/** `isAway`: it runs elsewhere, and could not be reached. */
export function createControlMetrics(
  runtime: Pick<Runtime, 'instances' | 'pool'>,
  isAway: (instance: Instance) => boolean,
): ControlMetrics {
  const registry = new Registry();
  const registers = [registry];
  const starts = new Counter({
    name: 'rouse_cold_starts_total',
    help: 'Instances whose start was asked for.',
    labelNames: ['namespace', 'model', 'revision'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'rouse_cold_start_seconds',
    help: COLD_START_HELP,
    labelNames: ['phase'] as const,
    buckets: COLD_START_BUCKETS,
    registers,
  });
  const decisions = new Counter({
    name: 'rouse_policy_decisions_total',
    help: 'Changes of decision, by the policy that settled it and the direction.',
    labelNames: ['policy', 'decision'] as const,
    registers,
  });
  const gauge = new Gauge({
    name: 'rouse_instances',
    help: 'Instances by state.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const counts = { starting: 0, ready: 0, parking: 0, parked: 0, draining: 0, unreachable: 0 };
      for (const instance of runtime.instances())
        counts[isAway(instance) ? 'unreachable' : instance.state]++;
      for (const [state, count] of Object.entries(counts)) gauge.set({ state }, count);
    },
  });
  if (runtime.pool) measurePool(runtime.pool, registers);
  return {
    started: (revision) => starts.inc(partsOfRevisionKey(revision)),
    becameReady(instance) {
      const { start, load } = secondsOfStart(instance);
      seconds.observe({ phase: 'start' }, start);
      seconds.observe({ phase: 'load' }, load);
    },
    decided(reason, change) {
      const decision = change > 0 ? 'up' : change < 0 ? 'down' : 'same';
      decisions.inc({ policy: reason, decision });
    },
    counted: (policy, decision) => decisions.inc({ policy, decision }),
    forget: (revision) => starts.remove(partsOfRevisionKey(revision)),
    text: () => registry.metrics(),
  };
}

/** The runtime counts; at a scrape its numbers become those of the counters. */
function measurePool(pool: RuntimePool, registers: Registry[]): void {
  const processes = new Gauge({
    name: 'rouse_pool_processes',
    help: 'Processes that stand by for a model, or are about to.',
    labelNames: ['runtime', 'state'] as const,
    registers,
    collect() {
      processes.reset();
      for (const { runtime, starting, idle } of pool.views()) {
        processes.set({ runtime, state: 'starting' }, starting);
        processes.set({ runtime, state: 'idle' }, idle);
      }
    },
  });
  const memory = new Gauge({
    name: 'rouse_pool_memory_bytes',
    help: 'Memory of processes that stand by.',
    labelNames: ['runtime'] as const,
    registers,
    collect() {
      memory.reset();
      for (const { runtime, memoryBytes } of pool.views()) memory.set({ runtime }, memoryBytes);
    },
  });
  const hits = new Counter({
    name: 'rouse_pool_hits_total',
    help: 'Starts in a process that stood by.',
    labelNames: ['runtime'] as const,
    registers,
    collect() {
      hits.reset();
      for (const view of pool.views()) hits.inc({ runtime: view.runtime }, view.hits);
    },
  });
  const misses = new Counter({
    name: 'rouse_pool_misses_total',
    help: 'Starts of a kind that stands by, but in a process of their own.',
    labelNames: ['runtime', 'reason'] as const,
    registers,
    collect() {
      misses.reset();
      for (const view of pool.views()) {
        for (const [reason, count] of Object.entries(view.misses)) {
          misses.inc({ runtime: view.runtime, reason }, count);
        }
      }
    },
  });
}
