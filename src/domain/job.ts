import { z } from 'zod';
import { modelName, namespaceName, revisionName } from './names.ts';
import { programFields, programSpec } from './program-job.ts';
import { actor } from './records.ts';
import { duration } from './units.ts';

/**
 * A job is work that ends. A batch scores the rows of an input with one revision of a model, each once, and writes them
 * in their order; a program (`program-job.ts`) is run to its end.
 */

const FORMATS = ['csv', 'jsonl', 'parquet', 'arrow'] as const;
/** More is no table that a model was made for. */
const MOST_COLUMNS = 10_000;
/** Rows of one request: what a model server takes as one body has 64 MiB. */
const MOST_BATCH_ROWS = 65_536;

/** More ask one data plane for no more. */
export const MOST_SHARDS = 64;

const SHARE = 'a number of rows such as 100, or a share of them such as 5%';
const column = z.string().min(1).max(1024);
const format = z.enum(FORMATS).optional().meta({ description: 'Absent: by the ending.' });

export const batchSpec = z.strictObject({
  kind: z.literal('batch').optional(),
  model: modelName,
  revision: revisionName.optional().meta({ description: 'Absent: that with most of the traffic.' }),
  input: z.strictObject({
    location: z
      .string()
      .max(4096)
      .regex(/^(\/|https?:\/\/[^/])/, 'an absolute path, or an http:// or https:// address')
      .meta({ description: 'A file, a folder, a glob or an address, as the server sees it.' }),
    format,
  }),
  output: z.strictObject({
    path: z
      .string()
      .max(4000)
      .regex(/^\/(.*[^/])?$/, 'an absolute path of a file')
      .meta({ description: 'Absolute; there is nothing until all is done.' }),
    format,
    columns: z
      .array(column)
      .max(MOST_COLUMNS)
      .default([])
      .meta({ description: 'Columns of the input that stand before those of the model.' }),
    replace: z.boolean().default(false).meta({ description: 'Take the place of what is there.' }),
  }),
  map: z
    .record(column, z.array(column).min(1).max(MOST_COLUMNS))
    .optional()
    .meta({ description: 'Columns for each input of the model. Absent: by their names.' }),
  batchSize: z
    .int()
    .min(1)
    .max(MOST_BATCH_ROWS)
    .optional()
    .meta({ description: 'Rows of a request. Absent: found while it runs.' }),
  shards: z.int().min(1).max(MOST_SHARDS).optional().meta({
    description:
      'Pods that score it side by side, on Kubernetes. Absent: one process, beside control.',
  }),
  maxFailed: z
    .string({ error: SHARE })
    .regex(/^([0-9]{1,12}|[0-9]{1,2}(\.[0-9]{1,3})?%)$/, SHARE)
    .optional()
    .meta({ description: 'It stops when more rows than these have failed.' }),
  deadline: duration.optional().meta({ description: 'It stops when it has taken longer.' }),
});
export type BatchRequest = z.input<typeof batchSpec>;
export type BatchSpec = z.output<typeof batchSpec>;

export const jobSpec = z.discriminatedUnion('kind', [batchSpec, programSpec]);
/** As it is asked for and stored. */
export type JobRequest = z.input<typeof jobSpec>;

/** Nothing is filled in or changed: what is kept is what was written. */
export function isJobRequest(value: unknown): value is JobRequest {
  return jobSpec.safeParse(value).success;
}

export const JOB_STATES = [
  'Pending',
  'Running',
  'Paused',
  'Succeeded',
  'Failed',
  'Cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const JOB_ACTIONS = ['pause', 'resume', 'cancel'] as const;
export type JobAction = (typeof JOB_ACTIONS)[number];

const time = z.number().nonnegative();
const count = z.int().nonnegative();

export const jobRows = z.strictObject({
  total: count.optional().meta({ description: 'Absent: not known yet.' }),
  done: count.meta({ description: 'Scored or failed, and on disk.' }),
  failed: count,
});
export type JobRows = z.output<typeof jobRows>;

const distribution = z.strictObject({
  name: z.string(),
  count: z.number().meta({ description: 'Values, without those that are no numbers.' }),
  mean: z.number().optional(),
  low: z.number().optional(),
  high: z.number().optional(),
  points: z
    .array(z.tuple([z.number(), z.number()]))
    .optional()
    .meta({ description: 'Of a sample: values, and how many rows each stands for.' }),
  values: z
    .array(z.tuple([z.string(), z.number()]))
    .optional()
    .meta({ description: 'The most frequent values, where there are few.' }),
});
export type Distribution = z.output<typeof distribution>;

export const jobReport = z.strictObject({
  rows: jobRows,
  failures: z
    .array(z.strictObject({ reason: z.string(), rows: count }))
    .meta({ description: 'Why rows failed; the most frequent reasons.' }),
  seconds: z.number().meta({ description: 'In which it ran.' }),
  rowsPerSecond: z.number(),
  requests: count,
  retries: count,
  latency: z.strictObject({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() }),
  batchSize: z.number().meta({ description: 'Rows of a request, on the average.' }),
  instanceSeconds: z.number(),
  outputs: z.array(distribution),
});
export type JobReport = z.output<typeof jobReport>;

const commonFields = {
  id: modelName,
  namespace: namespaceName,
  state: z.enum(JOB_STATES),
  reason: z.string().max(8192),
  createdAt: time,
  createdBy: actor,
  startedAt: time.optional(),
  endedAt: time.optional(),
};

export const batchRecord = z.strictObject({
  ...commonFields,
  spec: z.custom<BatchRequest>((value) => batchSpec.safeParse(value).success),
  /** It stays the same whatever becomes of the model. */
  revision: revisionName,
  rows: jobRows,
  /** Integrated over the instances that were there; of a job that ended, all of it. */
  instanceSeconds: z.number().nonnegative(),
  report: jobReport.optional(),
});
export type BatchRecord = z.output<typeof batchRecord>;

export const programRecord = z.strictObject({ ...commonFields, ...programFields });
export type ProgramRecord = z.output<typeof programRecord>;

export const jobRecord = z.union([batchRecord, programRecord]);
export type JobRecord = z.output<typeof jobRecord>;

export function isProgram(job: JobRecord): job is ProgramRecord {
  return job.spec.kind === 'program';
}

/** What it does now. */
export const jobProgress = z.object({
  rowsPerSecond: z.number(),
  batchSize: z.int(),
  instances: z.int(),
  fraction: z.number().min(0).max(1).optional().meta({
    description: 'Of the rows, done; by samples of the input while rows.total is not known.',
  }),
  etaSeconds: z.number().optional().meta({ description: 'Absent: nobody knows.' }),
});
export type JobProgress = z.output<typeof jobProgress>;

/** `namespace/id`. */
export function jobKey(namespace: string, id: string): string {
  return `${namespace}/${id}`;
}

/** Under which model of its namespace its events are. */
export function subjectOf({ id, spec }: Pick<JobRecord, 'id' | 'spec'>): string {
  return spec.model ?? ownModelName(id);
}

/** A model that belongs to a job, where it has one; its name stands for the job where it has none. */
export function ownModelName(job: string): string {
  return `job-${job}`;
}

export function isEnded(state: JobState): state is 'Succeeded' | 'Failed' | 'Cancelled' {
  return state === 'Succeeded' || state === 'Failed' || state === 'Cancelled';
}
