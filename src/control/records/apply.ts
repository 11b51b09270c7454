import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import {
  type ModelDocument,
  type ModelInput,
  type RevisionSpec,
  revisionSpec,
  type RevisionSpecInput,
} from '#domain/model.ts';
import { modelKey } from '#domain/names.ts';
import type { Actor, ArtifactRef, Lineage, RevisionRecord } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { type ModelEntry, revisionsOf } from './catalog.ts';
import { MAX_REVISIONS } from '../limits.ts';
import { digestOf } from './source.ts';

/** What applying a document comes to. */
export interface ApplyPlan {
  /** As it is stored. */
  readonly document: ModelInput;
  readonly documentChanged: boolean;
  /** Who serves was said anew, also where the document says so already: what a part has set ends. */
  readonly setsTraffic: boolean;
  readonly created: readonly RevisionRecord[];
  /** Failed before and asked for again with the same content: worth another try. */
  readonly retried: readonly RevisionRecord[];
}

export interface ApplyInput {
  readonly input: ModelInput;
  readonly parsed: ModelDocument;
  readonly artifacts: ReadonlyMap<string, ArtifactRef>;
  readonly actor: Actor;
  readonly now: number;
}

/** What of it one revision is made of. */
type RevisionInput = Pick<ApplyInput, 'artifacts' | 'actor' | 'now'> & {
  readonly parsed: Pick<ModelDocument, 'metadata'>;
};

/** Which revisions a document makes. Throws Fault `conflict` where a name has other content already. */
export function planApply(before: ModelEntry | undefined, apply: ApplyInput): ApplyPlan {
  const document = normalise(apply.input);
  const records = before ? revisionsOf(before) : [];
  const created: RevisionRecord[] = [];
  const retried: RevisionRecord[] = [];
  for (const declared of listDeclared(apply)) {
    const record = makeRecord(declared, apply, [...records, ...created]);
    const existing = findSame(declared, record, records);
    if (!existing) created.push(record);
    else if (existing.state === 'Failed') retried.push(makeRetry(existing, apply.now));
  }
  refuseTooMany(apply.parsed, records.length + created.length);
  const stored = before?.stored.value.document;
  const documentChanged = !isDeepStrictEqual(stored, document);
  const setsTraffic = !isDeepStrictEqual(stored?.spec.traffic, document.spec.traffic);
  return { document, documentChanged, setsTraffic, created, retried };
}

/**
 * One more revision of a model, of which its document says nothing; or the one that has the same content already.
 * Throws Fault `conflict` where there would be too many.
 */
export function planNext(
  entry: ModelEntry,
  written: RevisionSpecInput,
  options: Omit<RevisionInput, 'parsed'> & { readonly lineage: Lineage },
): { readonly revision: RevisionRecord; readonly isNew: boolean } {
  const { lineage, ...input } = options;
  const siblings = revisionsOf(entry);
  const parsed = { metadata: { name: entry.name, namespace: entry.namespace } };
  const declared = { spec: revisionSpec.parse(written), written };
  const record = makeRecord(declared, { ...input, parsed }, siblings);
  const same = siblings.find(({ digest }) => digest === record.digest);
  if (same) return { revision: same, isNew: false };
  refuseTooMany(parsed, siblings.length + 1);
  return { revision: { ...record, lineage }, isNew: true };
}

interface Declared {
  readonly spec: RevisionSpec;
  readonly written: RevisionSpecInput;
}

function listDeclared({ input, parsed }: ApplyInput): Declared[] {
  const { revision, revisions = [] } = parsed.spec;
  const written = input.spec.revision ? [input.spec.revision] : (input.spec.revisions ?? []);
  return (revision ? [revision] : revisions).flatMap((spec, index) => {
    const as = written[index];
    return as ? [{ spec, written: as }] : [];
  });
}

function makeRecord(
  { spec, written }: Declared,
  { parsed, artifacts, actor, now }: RevisionInput,
  siblings: readonly RevisionRecord[],
): RevisionRecord {
  const { name: model, namespace } = parsed.metadata;
  const ordinal = Math.max(0, ...siblings.map((sibling) => sibling.ordinal)) + 1;
  const { name: _, ...content } = written;
  const artifact = artifacts.get(digestOf(spec) ?? '');
  return {
    namespace,
    model,
    name: spec.name ?? freeName(ordinal, siblings),
    ordinal,
    spec: normalise(content),
    digest: identify(spec, artifact),
    ...(artifact && { artifact }),
    state: 'Preparing',
    reason: 'waits to be prepared',
    proven: false,
    coldStartSeconds: 0,
    createdAt: now,
    createdBy: actor,
  };
}

/** With a name: the one of that name. Without: the newest that people have written, if it is the same. */
function findSame(
  { spec }: Declared,
  record: RevisionRecord,
  records: readonly RevisionRecord[],
): RevisionRecord | undefined {
  if (spec.name === undefined) {
    const newest = records.findLast((other) => other.lineage === undefined);
    return newest?.digest === record.digest ? newest : undefined;
  }
  const named = records.find((other) => other.name === spec.name);
  if (!named || named.digest === record.digest) return named;
  throw new Fault(
    'conflict',
    `revision ${spec.name} of model ${record.namespace}/${record.model} exists with other content: ` +
      'a revision never changes; give the new one another name, or none',
  );
}

/** A new identity, so that what is left of the former attempt is not taken for it. */
function makeRetry(record: RevisionRecord, now: number): RevisionRecord {
  const createdAt = Math.max(now, record.createdAt + 1);
  return {
    ...record,
    state: 'Preparing',
    reason: 'asked for again after it had failed',
    createdAt,
  };
}

function freeName(ordinal: number, siblings: readonly RevisionRecord[]): string {
  const taken = new Set(siblings.map((sibling) => sibling.name));
  let number = ordinal;
  while (taken.has(formatNumber(number))) number++;
  return formatNumber(number);
}

function formatNumber(number: number): string {
  return String(number).padStart(5, '0');
}

/**
 * SHA-256 over the spec as it is understood, so that `60s` and `1m` are the same, and the stored content.
 * The content of an address that is still to be fetched is not known: there the address stands for it.
 */
function identify(spec: RevisionSpec, artifact: ArtifactRef | undefined): string {
  const { name: _, ...content } = spec;
  const text = JSON.stringify([sortKeys(content), artifact?.digest ?? null]);
  return createHash('sha256').update(text).digest('hex');
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}

/** As it comes back from the store: without keys that are undefined. */
function normalise<T>(value: T): T {
  const plain: T = JSON.parse(JSON.stringify(value));
  return plain;
}

function refuseTooMany({ metadata }: Pick<ModelDocument, 'metadata'>, count: number): void {
  if (count <= MAX_REVISIONS) return;
  const key = modelKey(metadata.namespace, metadata.name);
  throw new Fault(
    'conflict',
    `model ${key} would have ${count} revisions: at most ${MAX_REVISIONS}; delete old ones first`,
  );
}
