import { z } from 'zod';
import { modelDocument, traffic } from '#domain/model.ts';
import { PRIORITIES } from '#domain/priority.ts';
import { serverDocument } from '#domain/server.ts';
import { actor } from '#domain/records.ts';
import {
  appliedView,
  artifactView,
  eventPage,
  eventView,
  instancePage,
  instanceView,
  keyPage,
  keyView,
  logPage,
  modelPage,
  modelView,
  newKeyView,
  problemView,
  revisionPage,
  revisionView,
  serverInfo,
  usagePage,
} from '#domain/views.ts';

/** The bodies of writes that are no documents of their own. */
export const trafficBody = z.strictObject({ traffic });
export const keyBody = z.strictObject({
  role: actor.shape.role,
  note: z.string().max(200).default(''),
  priority: z.enum(PRIORITIES).default('normal'),
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
  Event: eventView,
  EventPage: eventPage,
  LogPage: logPage,
  UsagePage: usagePage,
  Artifact: artifactView,
  Key: keyView,
  KeyPage: keyPage,
  NewKey: newKeyView,
  KeyRequest: keyBody,
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
export function makeFileSchema(kind: 'model' | 'server'): JsonSchema {
  return z.toJSONSchema(kind === 'model' ? modelDocument : serverDocument, { io: 'input' });
}
