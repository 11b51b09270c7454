import { z } from 'zod';
import { jobRecord } from '#domain/job.ts';
import { parseDocument } from '#domain/parse.ts';
import {
  eventRecord,
  keyRecord,
  modelRecord,
  revisionRecord,
  tombstoneRecord,
} from '#domain/records.ts';
import { scheduleRecord } from '#domain/schedule.ts';
import { scheduleRun } from '#domain/schedule-run.ts';
import { Fault } from '#lib/fault.ts';
import type { Kind, Write } from './store.ts';

/**
 * Records are checked against their schemas when they are written, not when they are read: a write waits for
 * the disk anyway, so the check costs nothing that can be noticed, and what is wrong never becomes durable.
 * Reading thousands of records at start-up is then no more than JSON.parse. What an older version has written
 * is brought to the present form by a migration.
 */

/** A model file is a few KiB; this leaves room for long arguments and refuses what was put here by mistake. */
const VALUE_LIMIT = 4 * 2 ** 20;
/** Three names and two slashes are 191 characters; keys of memory are free text. */
const KEY_LIMIT = 1024;

const SCHEMAS: Record<Kind, z.ZodType> = {
  model: modelRecord,
  revision: revisionRecord,
  key: keyRecord,
  tombstone: tombstoneRecord,
  job: jobRecord,
  schedule: scheduleRecord,
  scheduleRun,
  memory: z.record(z.string(), z.unknown()),
};

export function kindOf(text: unknown): Kind {
  if (isKind(text)) return text;
  throw new Fault('internal', `the store holds a record of unknown kind ${String(text)}`);
}

function isKind(text: unknown): text is Kind {
  return typeof text === 'string' && Object.hasOwn(SCHEMAS, text);
}

const newEvent = eventRecord.omit({ id: true });

/** The value as it is stored; undefined for a deletion. Throws Fault `invalid` or `too_large`. */
export function encodeWrite(write: Write): string | undefined {
  const what = `${write.kind} ${write.key}`;
  if (write.key === '' || write.key.length > KEY_LIMIT) {
    throw new Fault('invalid', `a key has 1 to ${KEY_LIMIT} characters, not ${write.key.length}`);
  }
  if (write.value === undefined) return undefined;
  parseDocument(SCHEMAS[write.kind], write.value, what);
  return encode(write.value, what);
}

/** Throws Fault `invalid` when the event does not fit its schema. */
export function checkEvent(event: z.input<typeof newEvent>): void {
  parseDocument(newEvent, event, `event ${event.type}`);
}

/** JSON within the limit of what one record may hold. */
export function encode(value: unknown, what: string): string {
  const text = JSON.stringify(value);
  if (text.length > VALUE_LIMIT) {
    throw new Fault('too_large', `${what} has ${text.length} characters, at most ${VALUE_LIMIT}`);
  }
  return text;
}
