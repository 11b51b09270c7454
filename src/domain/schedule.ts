import { z } from 'zod';
import { cron, timeZone } from './cron-text.ts';
import { batchSpec } from './job.ts';
import { rule } from './model-rules.ts';
import { measureName } from './measures.ts';
import { DEFAULT_NAMESPACE, modelKey, modelName, namespaceName } from './names.ts';
import { programSpec } from './program-job.ts';
import { actor } from './records.ts';
import { answerRules } from './shadow.ts';
import { duration } from './units.ts';

/** What is done again and again, at times by the clock of a place: the words are those of a CronJob of Kubernetes. */

/** A run's id is the name, a dash and up to eight characters; its job has a model `job-ID`, which is a host name. */
const MOST_NAME = 46;
/** Ended runs that are kept of one schedule. */
const MOST_HISTORY = 200;

/** Shorter than that, it would be over before most models are awake. */
const LEAST_WARM_MS = 60_000;
/** It is looked at each second; with less, a busy machine would skip runs. */
const LEAST_DEADLINE_MS = 10_000;

const NAME = `a name of at most ${MOST_NAME} characters: a run adds the time that it is of`;
export const scheduleName = modelName
  .refine((name) => name.length <= MOST_NAME, NAME)
  .meta({ title: 'Schedule name' });

/** The keys of a spec that say what is done: exactly one of them. */
export const TASK_KINDS = ['batch', 'program', 'warmUp', 'probe'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

const CONCURRENCY_POLICIES = ['Allow', 'Forbid', 'Replace'] as const;

const warmUp = z.strictObject({
  model: modelName,
  duration: duration
    .refine((ms) => ms >= LEAST_WARM_MS, 'at least 1m')
    .meta({ description: 'For how long from the time on, such as 10h.' }),
  min: z.int().min(1).max(1000).default(1).meta({ description: 'Instances kept meanwhile.' }),
});

const probe = z.strictObject({
  model: modelName,
  revisions: z.enum(['routed', 'ready']).default('routed').meta({
    description: 'Which are asked: those that traffic leads to, or all that are Ready.',
  }),
  request: z.strictObject({
    method: z.enum(['GET', 'POST', 'PUT']).default('POST'),
    path: z
      .string()
      .max(4096)
      .regex(/^\/[!-~]*$/, "a path of the model's, such as /v2/models/digits/infer"),
    headers: z
      .record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.string().regex(/^[ -~]{0,1024}$/))
      .default({}),
    body: z.unknown().optional().meta({ description: 'Sent as JSON.' }),
  }),
  expect: z
    .strictObject({
      status: z.int().min(100).max(599).default(200),
      body: z.unknown().optional().meta({ description: 'Absent: whatever it says.' }),
      ...answerRules,
    })
    .prefault({}),
  timeout: duration.prefault('30s').meta({ description: 'For the whole answer, start included.' }),
  measure: measureName.default('healthy').meta({
    description: '1 for each revision that answered as expected, else 0: policies go by it.',
  }),
});

const scheduleSpec = z
  .strictObject({
    schedule: cron.meta({
      description: 'When, as in crontab, such as 0 3 * * MON-FRI, or @daily.',
    }),
    timeZone: timeZone.default('UTC'),
    jitter: duration.prefault('0s').meta({
      description: 'Up to so much later; the same each time, and another for each name.',
    }),
    concurrencyPolicy: z.enum(CONCURRENCY_POLICIES).default('Allow').meta({
      description:
        'While an earlier run has not ended: Allow another, Forbid it (it is skipped), or Replace the earlier one.',
    }),
    startingDeadline: duration
      .refine((ms) => ms >= LEAST_DEADLINE_MS, 'at least 10s')
      .optional()
      .meta({
        description:
          'What could not start within it is skipped. Absent: the last one is caught up.',
      }),
    suspend: z.boolean().default(false).meta({ description: 'No run begins by itself.' }),
    history: z.int().min(1).max(MOST_HISTORY).default(20).meta({
      description: 'Ended runs that are remembered.',
    }),
    batch: batchSpec.optional().meta({
      description:
        'A batch job. {date}, {time} (by the time zone) and {run} in its paths are those of the run.',
    }),
    program: programSpec.optional().meta({
      description: 'A program that is run to its end; in its data, as in the paths of a batch job.',
    }),
    warmUp: warmUp.optional().meta({ description: 'Keeps a model ready for a while.' }),
    probe: probe.optional().meta({
      description: 'Asks a model what the answer is known to, by the way that callers take.',
    }),
  })
  .superRefine(...rule(checkTask));

export const scheduleDocument = z
  .strictObject({
    apiVersion: z.literal('rouse.dev/v1alpha1'),
    kind: z.literal('Schedule'),
    metadata: z.strictObject({
      name: scheduleName,
      namespace: namespaceName.default(DEFAULT_NAMESPACE),
    }),
    spec: scheduleSpec,
  })
  .meta({ title: 'Schedule', description: 'What is done at certain times.' });

/** As people write it and the store keeps it. */
export type ScheduleInput = z.input<typeof scheduleDocument>;
/** As the code works with it. */
export type ScheduleSpec = z.output<typeof scheduleSpec>;
export type ProbeSpec = z.output<typeof probe>;

const time = z.number().nonnegative();
const count = z.int().nonnegative();

export const scheduleRecord = z.strictObject({
  /** As applied last. */
  document: z.custom<ScheduleInput>(isSchedule),
  createdAt: time,
  updatedAt: time,
  updatedBy: actor,
  /** Times up to here have been dealt with. */
  after: time,
  /** Times that passed while nobody looked, and of which nothing ran. */
  missed: count,
});
export type ScheduleRecord = z.output<typeof scheduleRecord>;

/** Nothing is filled in or changed: what is kept is what was written. */
export function isSchedule(value: unknown): value is ScheduleInput {
  return scheduleDocument.safeParse(value).success;
}

/** `namespace/schedule`. */
export const scheduleKey = modelKey;

interface ScheduledTask {
  readonly kind: TaskKind;
  /** Undefined: a program that is for none. */
  readonly model: string | undefined;
  /** Undefined: whichever serves. */
  readonly revision?: string | undefined;
}

/** What it does, and with which model. */
export function taskOf(spec: Pick<ScheduleSpec, TaskKind>): ScheduledTask {
  const { batch, program, warmUp, probe } = spec;
  if (warmUp) return { kind: 'warmUp', model: warmUp.model };
  if (probe) return { kind: 'probe', model: probe.model };
  if (program) return { kind: 'program', model: program.model, revision: program.parent };
  return { kind: 'batch', model: batch?.model, revision: batch?.revision };
}

/** How late a run may begin; of a warm-up, as long as there is something left of it. */
export function startingDeadlineOf({
  startingDeadline,
  warmUp,
}: Pick<ScheduleSpec, 'startingDeadline' | 'warmUp'>): number | undefined {
  return startingDeadline ?? warmUp?.duration;
}

function checkTask(
  spec: { readonly [K in TaskKind]?: unknown },
  say: (path: string[], expected: string) => void,
): void {
  const said = TASK_KINDS.filter((kind) => spec[kind] !== undefined);
  if (said.length === 0) say([], `what is done: one of ${TASK_KINDS.join(', ')}`);
  for (const kind of said.slice(1)) say([kind], `no ${kind}: it does ${said[0]} already`);
}
