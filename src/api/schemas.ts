import { z } from 'zod';
import { asyncRequest, delivery } from '#domain/async-request.ts';
import { JOB_ACTIONS, jobSpec } from '#domain/job.ts';
import { measure, measures } from '#domain/measures.ts';
import { modelDocument, traffic } from '#domain/model.ts';
import { namespaceName, revisionName } from '#domain/names.ts';
import { PRIORITIES } from '#domain/priority.ts';
import { scheduleDocument } from '#domain/schedule.ts';
import { scheduleRun } from '#domain/schedule-run.ts';
import { selectionRequest, selectionView } from '#domain/selection.ts';
import { serverDocument } from '#domain/server.ts';
import { actor } from '#domain/records.ts';
import { ROLLOUT_ACTIONS } from '#domain/rollout.ts';
import {
  appliedScheduleView,
  appliedView,
  artifactView,
  asyncRequestPage,
  collectionPage,
  collectionRowView,
  deletedPage,
  deletedView,
  deliveryPage,
  eventPage,
  eventView,
  instancePage,
  instanceView,
  jobCheckView,
  jobPage,
  jobView,
  keyPage,
  keyView,
  logPage,
  measurePage,
  measuresAdded,
  modelPage,
  modelView,
  newKeyView,
  problemView,
  revisionPage,
  revisionView,
  rolloutView,
  schedulePage,
  scheduleRunPage,
  scheduleView,
  serverInfo,
  usagePage,
  webhookSecretView,
} from '#domain/views.ts';

/** The bodies of writes that are no documents of their own. */
export const trafficBody = z.strictObject({ traffic });
export const measuresBody = z.strictObject({ measures });
export const rolloutBody = z.strictObject({ action: z.enum(ROLLOUT_ACTIONS) });
export const jobBody = z.strictObject({ action: z.enum(JOB_ACTIONS) });
/** What can be done with a schedule. */
export const scheduleBody = z.strictObject({ action: z.literal('run') });
export const keyBody = z.strictObject({
  role: actor.shape.role,
  note: z.string().max(200).default(''),
  priority: z.enum(PRIORITIES).default('normal'),
});

export const restoreBody = z.strictObject({
  revision: revisionName.optional().meta({
    description: 'One that was deleted by itself; absent: the model.',
  }),
});
/** What can be done with a webhook. */
export const deliveryBody = z.strictObject({ action: z.literal('replay') });
export const collectBody = z.strictObject({
  namespace: namespaceName.optional().meta({ description: 'Absent: all, and content.' }),
});

const COMPONENTS = {
  Model: modelDocument,
  ModelView: modelView,
  Applied: appliedView,
  ModelPage: modelPage,
  Revision: revisionView,
  RevisionPage: revisionPage,
  Instance: instanceView,
  InstancePage: instancePage,
  Traffic: trafficBody,
  Rollout: rolloutView,
  RolloutRequest: rolloutBody,
  Event: eventView,
  EventPage: eventPage,
  LogPage: logPage,
  UsagePage: usagePage,
  Measure: measure,
  Measures: measuresBody,
  MeasuresAdded: measuresAdded,
  MeasurePage: measurePage,
  Selection: selectionView,
  SelectionRequest: selectionRequest,
  AsyncRequest: asyncRequest,
  AsyncRequestPage: asyncRequestPage,
  Delivery: delivery,
  DeliveryPage: deliveryPage,
  DeliveryRequest: deliveryBody,
  WebhookSecret: webhookSecretView,
  Job: jobView,
  JobPage: jobPage,
  JobRequest: jobSpec,
  JobAction: jobBody,
  JobCheck: jobCheckView,
  Schedule: scheduleDocument,
  ScheduleView: scheduleView,
  AppliedSchedule: appliedScheduleView,
  SchedulePage: schedulePage,
  ScheduleRequest: scheduleBody,
  ScheduleRun: scheduleRun,
  ScheduleRunPage: scheduleRunPage,
  Artifact: artifactView,
  Key: keyView,
  KeyPage: keyPage,
  NewKey: newKeyView,
  KeyRequest: keyBody,
  Restore: restoreBody,
  Collect: collectBody,
  Deleted: deletedView,
  DeletedPage: deletedPage,
  CollectionRow: collectionRowView,
  CollectionPage: collectionPage,
  ServerInfo: serverInfo,
  Problem: problemView,
} as const;

type JsonSchema = Record<string, unknown>;

/** JSON Schema of every component of the OpenAPI document, each refering to the others. */
export function makeComponents(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(COMPONENTS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'input',
    uri: (id) => `#/components/schemas/${id}`,
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $id: _id, $schema: _schema, ...schema }]) => [id, schema]),
  );
}

/** JSON Schema of the files that people write, for editors. */
export function makeFileSchema(kind: keyof typeof FILES): JsonSchema {
  return z.toJSONSchema(FILES[kind], { io: 'input' });
}

const FILES = { model: modelDocument, schedule: scheduleDocument, server: serverDocument };
