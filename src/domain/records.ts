import { z } from 'zod';
import { scores } from './measures.ts';
import { modelDocument, revisionSpec } from './model.ts';
import { PRIORITIES } from './priority.ts';
import { modelName, namespaceName, revisionName } from './names.ts';

/**
 * What the store remembers, a schema for every noun. Times are milliseconds since the epoch,
 * sizes bytes. Documents that people wrote are kept as they wrote them (`z.input`) and parsed when read.
 */

const time = z.number().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex');

export const ROLES = ['admin', 'deploy', 'invoke', 'read'] as const;

/**
 * Who did something to the platform. `key:<id>` or `local` (loopback without a key) or `system:<loop>` or
 * `kubernetes:<field manager>` (a Model object, and who changed it).
 */
export const actor = z.strictObject({
  id: z.string().max(128),
  role: z.enum(ROLES),
});
export type Actor = z.output<typeof actor>;
export type Role = Actor['role'];

/** Who sent a request to a model: a key's id or the client's address after trusted-proxy rules. */
export interface Caller {
  readonly id: string;
  readonly kind: 'key' | 'address';
}

/** Stored content: `digest` is the SHA-256 of a file's bytes, or of the manifest of a folder. */
export const artifactRef = z.strictObject({
  digest: sha256,
  size: z.int().nonnegative(),
  /** The name that it had, for humans and for a server that wants a file ending. */
  name: z.string().max(255),
  kind: z.enum(['file', 'folder']),
});
export type ArtifactRef = z.output<typeof artifactRef>;

/** A tensor as Open Inference Protocol V2 names it. -1 is a dynamic dimension. */
export const tensorInfo = z.strictObject({
  name: z.string(),
  datatype: z.string(),
  shape: z.array(z.int()),
  /** Class labels, where the model's file has them. */
  labels: z.array(z.union([z.string(), z.number()])).optional(),
});
export type TensorInfo = z.output<typeof tensorInfo>;

/** What was found in a model's file. */
export const inspection = z.strictObject({
  platform: z.string(),
  inputs: z.array(tensorInfo).default([]),
  outputs: z.array(tensorInfo).default([]),
  /** Free metadata of the file, such as its accuracy. */
  properties: z.record(z.string(), z.string()).default({}),
  /** The content that is served instead of the source, where inspection had to change it. */
  served: artifactRef.optional(),
});
export type Inspection = z.output<typeof inspection>;

export const REVISION_STATES = ['Preparing', 'Proving', 'Ready', 'Failed'] as const;
export type RevisionState = (typeof REVISION_STATES)[number];

/** Where a revision comes from that a job has made, and what the job measured of it. */
export const lineage = z.strictObject({
  /** Of the same namespace. */
  job: modelName,
  parent: revisionName,
  /** Of the data that it was made with, where the job had any. */
  data: sha256.optional(),
  metrics: scores,
  /** The same of the parent, by the same data. */
  parentMetrics: scores,
});
export type Lineage = z.output<typeof lineage>;

export const revisionRecord = z.strictObject({
  namespace: namespaceName,
  model: modelName,
  name: revisionName,
  /** Position among the model's revisions; "latest" is the highest that is Ready. */
  ordinal: z.int().positive(),
  spec: z.custom<z.input<typeof revisionSpec>>((value) => revisionSpec.safeParse(value).success),
  /** SHA-256 over the canonical spec and the artifact: the same content gives the same digest. */
  digest: sha256,
  artifact: artifactRef.optional(),
  inspection: inspection.optional(),
  state: z.enum(REVISION_STATES),
  reason: z.string().max(8192),
  /** Started once and became ready; false with `initial: 0`. */
  proven: z.boolean(),
  /** Measured cold starts: exponentially weighted mean, seconds. 0: none yet. */
  coldStartSeconds: z.number().nonnegative(),
  createdAt: time,
  createdBy: actor,
  /** It had been deleted by itself. */
  restoredAt: time.optional(),
  /** A job has made it. Absent: people wrote it. */
  lineage: lineage.optional(),
});
export type RevisionRecord = z.output<typeof revisionRecord>;

export const modelRecord = z.strictObject({
  /** As applied last. `spec.traffic` here is the truth of the route. */
  document: z.custom<z.input<typeof modelDocument>>(
    (value) => modelDocument.safeParse(value).success,
  ),
  /** Counts the changes of `document`. */
  generation: z.int().positive(),
  createdAt: time,
  updatedAt: time,
  updatedBy: actor,
  /** It had been deleted. */
  restoredAt: time.optional(),
  /** Its Model object in the cluster, and nobody else, changes it. Absent: whoever has the role. */
  owner: z.literal('kubernetes').optional(),
  /** It belongs to this job of its namespace, and goes with it. */
  job: modelName.optional(),
});
export type ModelRecord = z.output<typeof modelRecord>;

/** What was deleted and can be restored: of a model, each of its revisions has one of its own, of the same time. */
export const tombstoneRecord = z.strictObject({
  deletedAt: time,
  deletedBy: actor,
  why: z.string().max(8192),
  /** For how long it can be restored, ms. */
  undo: z.number().nonnegative(),
  /** Of the last request. */
  lastRequestAt: time.optional(),
  model: modelRecord.optional(),
  /** Of a model: what said, beside its document, who serves. Records of the store's `memory`. */
  beside: z
    .array(z.strictObject({ key: z.string(), value: z.record(z.string(), z.unknown()) }))
    .optional(),
  revision: revisionRecord.optional(),
});
export type TombstoneRecord = z.output<typeof tombstoneRecord>;

export const keyRecord = z.strictObject({
  id: z.string().regex(/^[a-z0-9]{8,32}$/),
  role: z.enum(['admin', 'deploy', 'invoke', 'read']),
  /** SHA-256 of the secret part; the secret itself (256 random bits) is shown once and not kept. */
  hash: sha256,
  note: z.string().max(200),
  /** The highest that requests with it may have, and have when they ask for nothing. Absent: normal. */
  priority: z.enum(PRIORITIES).optional(),
  createdAt: time,
  createdBy: actor,
});
export type KeyRecord = z.output<typeof keyRecord>;

/** What happened, and why. Written when a decision or its reason changes, not every tick. */
export const eventRecord = z.strictObject({
  /** Grows by one with each event of the platform. Given by the store. */
  id: z.int().nonnegative(),
  at: time,
  namespace: z.string(),
  model: z.string(),
  revision: z.string().optional(),
  /** Stable, in CamelCase: ModelApplied, RevisionReady, ScaleDecided, InstanceFailed, … */
  type: z.string().max(64),
  /** One sentence for a human. */
  why: z.string().max(8192),
  actor,
  /** What was seen and decided, for `rouse why`. */
  data: z.record(z.string(), z.unknown()).optional(),
});
export type EventRecord = z.output<typeof eventRecord>;

/** Traffic of one revision in one minute. */
export const usageRecord = z.strictObject({
  namespace: z.string(),
  model: z.string(),
  revision: z.string(),
  /** Minutes since the epoch. */
  minute: z.int().nonnegative(),
  arrivals: z.int().nonnegative(),
  coldArrivals: z.int().nonnegative(),
  /** Sum over requests of the time that each had a slot, seconds. */
  busySeconds: z.number().nonnegative(),
  /** Sum of the times that cold requests waited for an instance, seconds. */
  coldSeconds: z.number().nonnegative(),
  /** Resident memory of the instances, integrated over the minute: byte-seconds. */
  memoryByteSeconds: z.number().nonnegative(),
});
export type UsageRecord = z.output<typeof usageRecord>;
