import { isEnded, type JobAction, jobKey, type JobRequest } from '#domain/job.ts';
import type { Actor } from '#domain/records.ts';
import { fillIn, type ScheduleRun } from '#domain/schedule-run.ts';
import { Fault } from '#lib/fault.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { KnownSchedule } from './book.ts';
import { SCHEDULES, type Task } from './task.ts';

/** A run is a job of the same id: so there is one, however often it is begun. */
export function createJobTask(options: {
  useCases: {
    /** When there is a job of this id, it is the one that was asked for. */
    createJob(actor: Actor, namespace: string, request: JobRequest, id: string): Promise<unknown>;
    actOnJob(actor: Actor, namespace: string, id: string, action: JobAction): Promise<unknown>;
  };
  /** Absent: there are no jobs here. */
  jobs: Pick<Jobs, 'get'> | undefined;
}): Task {
  const { useCases, jobs } = options;
  const find = ({ namespace, id }: ScheduleRun) => jobs?.get(jobKey(namespace, id))?.value;
  return {
    async start(run, schedule) {
      const request = makeRequest(run, schedule);
      await useCases.createJob(SCHEDULES, run.namespace, request, run.id);
      return { job: run.id };
    },
    look(run) {
      const job = find(run);
      if (!job) return { state: 'Failed', reason: `job ${run.id} was deleted before it had ended` };
      const { state, reason } = job;
      return isEnded(state) ? { state, reason } : undefined;
    },
    async stop(run) {
      const job = find(run);
      if (!job || isEnded(job.state)) return;
      await useCases.actOnJob(SCHEDULES, run.namespace, run.id, 'cancel');
    },
  };
}

function makeRequest(run: ScheduleRun, { value, spec }: KnownSchedule): JobRequest {
  const { batch, program } = value.document.spec;
  const fill = (text: string): string => fillIn(text, run, spec.timeZone);
  if (program) {
    return { ...program, ...(program.data !== undefined && { data: fill(program.data) }) };
  }
  if (!batch) throw new Fault('conflict', 'the schedule has no job any more');
  const { input, output } = batch;
  return {
    ...batch,
    input: { ...input, location: fill(input.location) },
    output: { ...output, path: fill(output.path) },
  };
}
