import { Counter, Gauge, Registry } from 'prom-client';
import type { KnownSchedule } from './book.ts';

/** What became of a run. */
const OUTCOMES = ['Succeeded', 'Failed', 'Cancelled', 'Skipped'] as const;

export interface ScheduleMetrics {
  ended(schedule: Pick<KnownSchedule, 'namespace' | 'name'>, outcome: string): void;
  missed(schedule: Pick<KnownSchedule, 'namespace' | 'name'>, times: number): void;
  /** Its series go with it. */
  forget(schedule: Pick<KnownSchedule, 'namespace' | 'name'>): void;
  text(): Promise<string>;
}

/** `counts`: what there is at a scrape. */
export function createScheduleMetrics(
  counts: () => { readonly active: number; readonly suspended: number; readonly running: number },
): ScheduleMetrics {
  const registry = new Registry();
  const registers = [registry];
  const runs = new Counter({
    name: 'rouse_schedule_runs_total',
    help: 'Runs of schedules, by what became of them.',
    labelNames: ['namespace', 'schedule', 'outcome'] as const,
    registers,
  });
  const missed = new Counter({
    name: 'rouse_schedule_missed_total',
    help: 'Times of schedules that passed while nobody looked, and of which nothing ran.',
    labelNames: ['namespace', 'schedule'] as const,
    registers,
  });
  const schedules = new Gauge({
    name: 'rouse_schedules',
    help: 'Schedules by state.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const { active, suspended } = counts();
      schedules.set({ state: 'active' }, active);
      schedules.set({ state: 'suspended' }, suspended);
    },
  });
  const running = new Gauge({
    name: 'rouse_schedule_runs',
    help: 'Runs that have not ended.',
    registers,
    collect() {
      running.set(counts().running);
    },
  });
  return {
    ended: ({ namespace, name }, outcome) => runs.inc({ namespace, schedule: name, outcome }),
    missed({ namespace, name }, times) {
      if (times > 0) missed.inc({ namespace, schedule: name }, times);
    },
    forget({ namespace, name: schedule }) {
      for (const outcome of OUTCOMES) runs.remove({ namespace, schedule, outcome });
      missed.remove({ namespace, schedule });
    },
    text: () => registry.metrics(),
  };
}
