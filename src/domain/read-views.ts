import { z } from 'zod';
import { Fault } from '#lib/fault.ts';
import { asyncRequest, delivery } from './async-request.ts';
import { DEFAULT_NAMESPACE } from './names.ts';
import { eventRecord, lineage, REVISION_STATES, tensorInfo, usageRecord } from './records.ts';
import { scheduleRun } from './schedule-run.ts';
import { selectionView } from './selection.ts';
import {
  appliedView,
  batchView,
  collectionRowView,
  curlWay,
  deletedView,
  instanceView,
  jobCheckView,
  keyView,
  logLineView,
  measuresAdded,
  measureView,
  modelStatus,
  newKeyView,
  programView,
  rolloutView,
  appliedScheduleView,
  scheduleView,
  webhookSecretView,
} from './views.ts';

/**
 * How a client reads what the control API answers: what it needs is checked, what it does not know is kept
 * as it came, so that client and server may be of different versions.
 */

const model = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default(DEFAULT_NAMESPACE) }),
  spec: z.looseObject({}),
  status: modelStatus.loose(),
});
export type ModelAnswer = z.output<typeof model>;

const revision = z.looseObject({
  name: z.string(),
  state: z.enum(REVISION_STATES),
  reason: z.string(),
  coldStartSeconds: z.number(),
  createdAt: z.number(),
  lineage: lineage.loose().optional(),
  spec: z.looseObject({ runtime: z.string(), source: z.string().optional() }),
  inspection: z
    .looseObject({
      inputs: z.array(tensorInfo.loose()).default([]),
      outputs: z.array(tensorInfo.loose()).default([]),
    })
    .optional(),
});

/** As it was written: durations stay words. */
const schedule = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default(DEFAULT_NAMESPACE) }),
  spec: z.looseObject({
    schedule: z.string(),
    timeZone: z.string().default('UTC'),
    suspend: z.boolean().default(false),
  }),
  status: scheduleView.shape.status.loose(),
});

const event = eventRecord.loose();
export type EventAnswer = z.output<typeof event>;

/** `curl`: absent from an older server. */
export const readServer = createReader(z.looseObject({ curl: curlWay.optional() }));
export const readModel = createReader(model);
export const readApplied = createReader(model.extend({ applied: appliedView.shape.applied }));
export const readModels = createReader(listOf(model));
export const readRevision = createReader(revision);
export const readRollout = createReader(rolloutView.loose());
export type RolloutAnswer = ReturnType<typeof readRollout>;
export const readRevisions = createReader(listOf(revision));
export const readInstances = createReader(listOf(instanceView.loose()));
export const readEvents = createReader(listOf(event));
export const readUsage = createReader(listOf(usageRecord.loose()));
export const readLogs = createReader(listOf(logLineView.loose()));
export const readMeasures = createReader(listOf(measureView.loose()));
export const readMeasuresAdded = createReader(measuresAdded.loose());
export const readSelection = createReader(selectionView.loose());
const batch = batchView.loose();
export type BatchAnswer = z.output<typeof batch>;
const program = programView.loose();
export type ProgramAnswer = z.output<typeof program>;
const job = z.union([batch, program]);
export type JobAnswer = z.output<typeof job>;
export const readBatch = createReader(batch);
export const readJob = createReader(job);
export const readJobs = createReader(listOf(job));
export const readJobCheck = createReader(jobCheckView.loose());
export type JobCheckAnswer = ReturnType<typeof readJobCheck>;
export const readSchedule = createReader(schedule);
export type ScheduleAnswer = ReturnType<typeof readSchedule>;
export const readAppliedSchedule = createReader(
  schedule.extend({ applied: appliedScheduleView.shape.applied }),
);
export const readSchedules = createReader(listOf(schedule));
export const readRun = createReader(scheduleRun.loose());
export const readRuns = createReader(listOf(scheduleRun.loose()));
export type RunAnswer = ReturnType<typeof readRun>;
export const readKeys = createReader(listOf(keyView.loose()));
export const readDeleted = createReader(listOf(deletedView.loose()));
export const readCollection = createReader(listOf(collectionRowView.loose()));
export const readAsyncRequest = createReader(asyncRequest.loose());
export const readAsyncRequests = createReader(listOf(asyncRequest.loose()));
export const readDelivery = createReader(delivery.loose());
export const readWebhookSecret = createReader(webhookSecretView.loose());
export const readDeliveries = createReader(listOf(delivery.loose()));
export const readNewKey = createReader(newKeyView.loose());

function listOf<T extends z.ZodType>(item: T) {
  return z.looseObject({ items: z.array(item), next: z.string().optional() });
}

function createReader<S extends z.ZodType>(schema: S): (body: unknown) => z.output<S> {
  return (body) => {
    const result = schema.safeParse(body);
    if (result.success) return result.data;
    const where = result.error.issues[0]?.path.join('.') ?? '';
    throw new Fault('bad_upstream', `the server's answer cannot be read at "${where}"`);
  };
}
