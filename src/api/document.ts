import type { z } from 'zod';
import { modelDocument, type ModelInput } from '#domain/model.ts';
import { findProblems, isModel, showValue, summaryOf } from '#domain/parse.ts';
import { isSchedule, scheduleDocument, type ScheduleInput } from '#domain/schedule.ts';
import { Fault, type Problem } from '#lib/fault.ts';

interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** What a document of a kind is. */
interface DocumentKind<T> {
  readonly what: string;
  readonly schema: z.ZodType;
  readonly is: (value: unknown) => value is T;
}

const MODEL: DocumentKind<ModelInput> = { what: 'model', schema: modelDocument, is: isModel };
const SCHEDULE: DocumentKind<ScheduleInput> = {
  what: 'schedule',
  schema: scheduleDocument,
  is: isSchedule,
};

export function parseModelFor(place: Place, body: unknown): ModelInput {
  return parseFor(MODEL, place, body);
}

export function parseScheduleFor(place: Place, body: unknown): ScheduleInput {
  return parseFor(SCHEDULE, place, body);
}

/**
 * A document for the path it was sent to: checked, but as it was written. `status` is what a read
 * adds, so that what was read can be sent back; a namespace that is left out is the path's.
 */
function parseFor<T>({ what, schema, is }: DocumentKind<T>, place: Place, body: unknown): T {
  const document: unknown = withNamespace(withoutStatus(what, body), place.namespace);
  const found = findProblems(schema, document);
  const problems = [...mismatches(document, place), ...found.problems];
  if (problems.length === 0 && is(document)) return document;
  throw new Fault('invalid', summaryOf(what, { ...found, problems }), { problems });
}

type Fields = Readonly<Record<string, unknown>>;

function withoutStatus(what: string, body: unknown): Fields {
  if (!isFields(body)) throw new Fault('bad_request', `the body is no ${what} document`);
  const { status: _status, ...document } = body;
  return document;
}

function withNamespace(document: Fields, namespace: string): Fields {
  const { metadata } = document;
  if (!isFields(metadata) || metadata['namespace'] !== undefined) return document;
  return { ...document, metadata: { ...metadata, namespace } };
}

function mismatches(document: unknown, place: Place): Problem[] {
  const metadata = isFields(document) ? document['metadata'] : undefined;
  if (!isFields(metadata)) return [];
  const pairs = [
    ['name', place.name],
    ['namespace', place.namespace],
  ] as const;
  return pairs
    .filter(([key, expected]) => typeof metadata[key] === 'string' && metadata[key] !== expected)
    .map(([key, expected]) => ({
      key: `metadata.${key}`,
      value: showValue(metadata[key]),
      expected: `${JSON.stringify(expected)}, as the path says`,
    }));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
