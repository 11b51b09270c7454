import { modelKey, revisionKey } from '#domain/names.ts';
import type { ScheduleRun } from '#domain/schedule-run.ts';
import { formatDuration, formatTime } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import type { Bound } from '#policies/desired.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import type { KnownSchedule, ScheduleBook } from './book.ts';
import type { Outcome, Progress, Task } from './task.ts';

/**
 * Models that are kept ready for a while: a floor for each of their revisions that traffic leads to, as long as a run of a
 * warm-up is Running.
 */
export interface WarmUps {
  readonly task: Task;
  /** Undefined: no warm-up of it runs. */
  floor(model: string): Bound | undefined;
  /** Runs or schedules have changed. */
  refresh(): void;
}

export function createWarmUps(options: {
  book: ScheduleBook;
  catalog: Catalog;
  runtime: Pick<Runtime, 'instances'>;
  clock: Clock;
}): WarmUps {
  const { book, catalog, runtime, clock } = options;
  /** By key of models. */
  let floors = new Map<string, Bound>();
  refresh();

  function refresh(): void {
    floors = new Map();
    for (const run of book.active()) {
      if (run.task !== 'warmUp' || run.state !== 'Running') continue;
      const schedule = book.get(modelKey(run.namespace, run.schedule));
      const warm = schedule?.spec.warmUp;
      if (!warm) continue;
      const model = modelKey(run.namespace, warm.model);
      const until = formatTime(run.scheduledAt + warm.duration);
      const why = `schedule ${run.schedule} keeps ${warm.min} until ${until}`;
      const before = floors.get(model);
      if (before && before.count >= warm.min) continue;
      floors.set(model, { source: 'schedule', count: warm.min, why });
    }
  }

  function isReady(namespace: string, model: string): boolean {
    const targets = catalog.model(modelKey(namespace, model))?.resolved.targets ?? [];
    return targets.some(({ revision }) =>
      runtime
        .instances(revisionKey(namespace, model, revision))
        .some(({ state }) => state === 'ready'),
    );
  }

  function look(
    run: ScheduleRun,
    { namespace, spec: { warmUp } }: KnownSchedule,
  ): Outcome | Progress | undefined {
    if (!warmUp) return { state: 'Cancelled', reason: 'the schedule does something else now' };
    const now = clock.now();
    const { scheduledAt, startedAt = now, readyAt } = run;
    const until = scheduledAt + warmUp.duration;
    if (now < until) {
      const isNew = readyAt === undefined && isReady(namespace, warmUp.model);
      return isNew ? { state: 'Running', readyAt: now } : undefined;
    }
    if (readyAt === undefined) {
      return { state: 'Failed', reason: `no instance was ready until ${formatTime(until)}` };
    }
    const after = formatDuration(readyAt - startedAt);
    return { state: 'Succeeded', reason: `ready after ${after}, kept until ${formatTime(until)}` };
  }

  return {
    task: {
      async start(_run, { namespace, spec }) {
        if (spec.warmUp) requireModel(catalog, namespace, spec.warmUp.model);
        return {};
      },
      look,
      // Its floor goes with the record.
      stop: async () => undefined,
    },
    floor: (model) => floors.get(model),
    refresh,
  };
}
