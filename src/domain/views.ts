import { z } from 'zod';
import { asyncRequest, delivery } from './async-request.ts';
import { batchRecord, batchSpec, jobProgress, programRecord } from './job.ts';
import { programSpec } from './program-job.ts';
import { scheduleDocument } from './schedule.ts';
import { scheduleRun } from './schedule-run.ts';
import { measureName } from './measures.ts';
import { modelDocument, revisionSpec, RUNTIMES, trafficTarget } from './model.ts';
import { selectionView } from './selection.ts';
import {
  artifactRef,
  eventRecord,
  keyRecord,
  modelRecord,
  REVISION_STATES,
  revisionRecord,
  usageRecord,
} from './records.ts';
import { rolloutRecord } from './rollout.ts';

/**
 * What the control API answers: the shape that its clients hold on to (`read-views.ts` is how ours reads
 * it). Times are milliseconds since the epoch, sizes bytes.
 */

export const curlWay = z.union([
  z.object({
    origin: z.string(),
    certificate: z.string().optional().meta({
      description: 'The file with what is to be trusted, on the machine of the server.',
    }),
    resolve: z.string().optional().meta({
      description: 'As --resolve takes it: the certificate is for that name.',
    }),
  }),
  z.object({ why: z.string() }),
]);
/** How curl reaches the data plane from the machine of the server; or why it does not. */
export type CurlWay = z.output<typeof curlWay>;

export const serverInfo = z.object({
  name: z.literal('rouse'),
  version: z.string(),
  /** Where requests to models go, as a caller of this machine writes it. */
  dataPlane: z.string(),
  domain: z.string(),
  curl: curlWay.meta({ description: 'How curl gets there from the machine of the server.' }),
});

export const instanceView = z.object({
  id: z.string(),
  revision: z.string(),
  state: z.enum(['starting', 'ready', 'parking', 'parked', 'draining']),
  askedAt: z.number(),
  startedAt: z.number().meta({ description: '0: its program does not run yet.' }),
  readyAt: z.number().meta({ description: '0: not ready yet.' }),
  memoryBytes: z.number(),
  cpuSeconds: z.number(),
});
export type InstanceView = z.output<typeof instanceView>;

const revisionSummary = z.object({
  name: z.string(),
  runtime: z.enum(RUNTIMES),
  state: z.enum(REVISION_STATES),
  reason: z.string(),
  createdAt: z.number(),
});

/** Times, state and findings beside the spec as it was written. */
export const revisionView = revisionRecord.omit({ spec: true }).extend({ spec: revisionSpec });
export type RevisionView = z.input<typeof revisionView>;

/** The last rollout of a model. */
export const rolloutView = rolloutRecord.omit({ memory: true, made: true }).extend({
  step: z.int().meta({ description: 'From 0; its share is percent.' }),
  stepAt: z.number(),
  steps: z.array(z.int()).meta({ description: 'Shares in percent; after the last it gets all.' }),
});
export type RolloutView = z.output<typeof rolloutView>;

const addresses = z.object({
  path: z.string().meta({ description: 'Reaches the model from anywhere that reaches the port.' }),
  host: z.string().meta({ description: "The model's own host." }),
  infer: z.string().meta({ description: 'Open Inference Protocol V2.' }),
  tags: z.record(z.string(), z.string()).meta({ description: 'The host of each tag.' }),
});

export const modelStatus = z.object({
  state: z.enum(['Asleep', 'Parked', 'Waking', 'Awake', 'Preparing', 'Failed']),
  version: z.number().meta({ description: 'What If-Match takes.' }),
  generation: z.number(),
  owner: modelRecord.shape.owner.meta({ description: 'Who alone may change it.' }),
  createdAt: z.number(),
  updatedAt: z.number(),
  addresses,
  traffic: z
    .array(
      z.object({
        revision: z.string(),
        percent: z.int(),
        tag: z.string().optional(),
        match: trafficTarget.shape.match,
      }),
    )
    .meta({ description: 'Resolved: latest has become a name.' }),
  shadow: z
    .object({ revision: z.string(), percent: z.int() })
    .optional()
    .meta({ description: 'Who gets copies of requests now. Absent: nobody.' }),
  rollout: rolloutRecord
    .pick({ phase: true, stable: true, canary: true, percent: true, why: true })
    .optional()
    .meta({ description: 'The last rollout; the split of traffic is what it says.' }),
  revisions: z.array(revisionSummary),
  instances: z.array(instanceView),
  retention: z
    .object({
      lastRequestAt: z.number().optional().meta({ description: 'Absent: none has ever come.' }),
      goesAt: z
        .number()
        .optional()
        .meta({ description: 'When it goes if nobody asks for it until then; absent: never.' }),
      why: z.string(),
    })
    .optional()
    .meta({ description: 'Whether it goes when nobody asks for it.' }),
  selection: selectionView.optional().meta({ description: 'Absent: traffic is as written.' }),
});

export const modelView = modelDocument.extend({ status: modelStatus });
/** The document as it was written, and `status`. */
export type ModelResource = z.input<typeof modelView>;

export const appliedView = modelView.extend({
  applied: z.object({
    outcome: z.enum(['created', 'changed', 'unchanged']),
    newRevisions: z.array(z.string()),
  }),
});

export const logLineView = z.object({
  at: z.number(),
  instance: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
});
export type LogLineView = z.output<typeof logLineView>;

export const measureView = z.object({
  revision: z
    .string()
    .optional()
    .meta({ description: 'Absent: measured of the model as a whole.' }),
  name: measureName,
  minute: z.int().meta({ description: 'Minutes since the epoch.' }),
  count: z.number(),
  sum: z.number(),
  sumSquares: z.number(),
  low: z.number(),
  high: z.number(),
  points: z
    .array(z.tuple([z.number(), z.number()]))
    .meta({ description: 'How the values are distributed: values, and how many of each.' }),
});
export type MeasureView = z.output<typeof measureView>;

export const measuresAdded = z.object({
  added: z.int(),
  repeated: z.int().meta({ description: 'Those whose id had come before; they count once.' }),
});

/** A key without its hash. */
export const keyView = keyRecord.omit({ hash: true });
export type KeyView = z.output<typeof keyView>;

export const newKeyView = keyView.extend({
  secret: z.string().meta({ description: 'Shown here and never again.' }),
});

export const deletedView = z.object({
  namespace: z.string(),
  name: z.string(),
  deletedAt: z.number(),
  deletedBy: z.string(),
  why: z.string(),
  restorableUntil: z.number().meta({ description: 'Later if Rouse does not run all the time.' }),
  whole: z.boolean().meta({ description: 'The model; false: these revisions of it.' }),
  revisions: z.array(z.string()),
});

export const collectionRowView = z.object({
  kind: z.enum(['model', 'revision', 'job', 'deleted', 'artifact']),
  name: z
    .string()
    .meta({ description: 'namespace/model, with /revision; namespace/job; a digest.' }),
  action: z.enum(['keep', 'remove']),
  why: z.string(),
  goesAt: z
    .number()
    .optional()
    .meta({ description: 'When it goes if nothing changes; absent: not by its age.' }),
  bytes: z.number().optional(),
});
export type CollectionRowView = z.output<typeof collectionRowView>;

export const batchView = batchRecord.extend({
  spec: batchSpec,
  progress: jobProgress.optional().meta({ description: 'Absent: it does nothing now.' }),
});
export type BatchView = z.input<typeof batchView>;
export const programView = programRecord.extend({ spec: programSpec });
export const jobView = z.union([batchView, programView]);
export type JobView = z.input<typeof jobView>;

export const jobCheckView = z.object({
  rows: z.number().optional().meta({ description: 'Absent: counting them means reading them.' }),
  estimatedRows: z.number().optional().meta({ description: 'By samples, where rows is absent.' }),
  bytes: z.number(),
  mapping: z.array(z.string()).meta({ description: 'Columns for each input, in words.' }),
  columns: z.array(z.string()).meta({ description: 'Of the input, that stand in the output.' }),
  answers: z.array(z.record(z.string(), z.unknown())).meta({ description: 'The first rows.' }),
  failures: z.array(z.string()),
  rowsPerSecond: z.number().optional(),
});

export const scheduleView = scheduleDocument.extend({
  status: z.object({
    version: z.int().meta({ description: 'As in the ETag.' }),
    createdAt: z.number(),
    updatedAt: z.number(),
    updatedBy: z.string(),
    nextAt: z.number().optional().meta({ description: 'Absent: it does not run by itself.' }),
    active: z.array(z.string()).meta({ description: 'Ids of runs that have not ended.' }),
    last: scheduleRun.optional().meta({ description: 'The newest run.' }),
    missed: z.int().meta({
      description: 'Times that passed while nobody looked, and of which nothing ran.',
    }),
  }),
});
export type ScheduleView = z.input<typeof scheduleView>;

export const appliedScheduleView = scheduleView.extend({
  applied: z.object({ outcome: z.enum(['created', 'changed', 'unchanged']) }),
});

export const problemView = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().meta({ description: 'Stable; what programs should look at.' }),
  problems: z
    .array(z.object({ key: z.string(), value: z.string(), expected: z.string() }))
    .optional(),
});
export type ProblemView = z.output<typeof problemView>;

/** `next`: what to give as `after` for the items behind these; absent at the end. */
function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().optional() });
}

export const modelPage = pageOf(modelView);
export const revisionPage = pageOf(revisionView);
export const instancePage = pageOf(instanceView);
export const eventPage = pageOf(eventRecord);
export const logPage = pageOf(logLineView);
export const usagePage = pageOf(usageRecord);
export const measurePage = pageOf(measureView);
export const jobPage = pageOf(jobView);
export const schedulePage = pageOf(scheduleView);
export const scheduleRunPage = pageOf(scheduleRun);
export const keyPage = pageOf(keyView);
export const deletedPage = pageOf(deletedView);
export const collectionPage = pageOf(collectionRowView);
export const asyncRequestPage = pageOf(asyncRequest);
export const deliveryPage = pageOf(delivery);

export const webhookSecretView = z.object({
  secret: z.string().meta({ description: 'As Standard Webhooks writes it: whsec_ and base64.' }),
});

export { artifactRef as artifactView, eventRecord as eventView };
