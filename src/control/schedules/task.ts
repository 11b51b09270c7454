import type { Actor } from '#domain/records.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import type { KnownSchedule } from './book.ts';

/** What schedules do: one of these for each kind. */
export interface Task {
  /**
   * Begins it, or does it at once. Repeatable: what was begun for this run is not begun once more. Throws the Fault that
   * says why it cannot be done.
   */
  start(run: ScheduleRun, schedule: KnownSchedule): Promise<Begun>;
  /** What is new of one that was begun, and has not ended as far as is written. */
  look(run: ScheduleRun, schedule: KnownSchedule): Outcome | Progress | undefined;
  /** Ends it before its time. Repeatable. */
  stop(run: ScheduleRun): Promise<void>;
}

export interface Begun {
  readonly job?: string;
  /** Absent: it goes on. */
  readonly outcome?: Outcome;
}

export interface Outcome {
  readonly state: 'Succeeded' | 'Failed' | 'Cancelled';
  readonly reason: string;
}

export interface Progress {
  readonly state: 'Running';
  readonly readyAt: number;
}

/** Whoever applied a schedule might deploy. */
export const SCHEDULES: Actor = { id: 'system:schedules', role: 'deploy' };
