import { Counter, Gauge, Registry } from 'prom-client';
import { type BatchRecord, JOB_STATES, type JobRows, type JobState } from '#domain/job.ts';

export interface JobMetrics {
  /** Rows that have been done since. */
  rows(job: BatchRecord, before: JobRows, now: JobRows): void;
  restarted(): void;
  /** How a program ended: `done`, `failed` or `lost`. */
  programEnded(outcome: string): void;
  text(): Promise<string>;
}

/** `states`: of all jobs, at a scrape. */
export function createJobMetrics(states: () => readonly JobState[]): JobMetrics {
  const registry = new Registry();
  const registers = [registry];
  const jobs = new Gauge({
    name: 'rouse_jobs',
    help: 'Jobs by state.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const found = states();
      for (const state of JOB_STATES) {
        jobs.set({ state }, found.filter((one) => one === state).length);
      }
    },
  });
  const rows = new Counter({
    name: 'rouse_job_rows_total',
    help: 'Rows of batch jobs that were scored, or have failed.',
    labelNames: ['namespace', 'model', 'outcome'] as const,
    registers,
  });
  const restarts = new Counter({
    name: 'rouse_job_restarts_total',
    help: 'Runners of batch jobs that ended before they were done.',
    registers,
  });
  const programs = new Counter({
    name: 'rouse_job_programs_total',
    help: 'Programs of jobs that have ended.',
    labelNames: ['outcome'] as const,
    registers,
  });
  return {
    rows({ namespace, spec: { model } }, before, now) {
      const failed = Math.max(0, now.failed - before.failed);
      const scored = Math.max(0, now.done - before.done - failed);
      rows.inc({ namespace, model, outcome: 'scored' }, scored);
      rows.inc({ namespace, model, outcome: 'failed' }, failed);
    },
    restarted: () => restarts.inc(),
    programEnded: (outcome) => programs.inc({ outcome }),
    text: () => registry.metrics(),
  };
}
