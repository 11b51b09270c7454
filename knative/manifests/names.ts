import { createHash } from 'node:crypto';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { Workload } from '#runtime/runtime.ts';

/**
 * The names of what Rouse makes in the cluster. Knative wants DNS labels that begin with a letter (RFC 1035), and
 * a Revision's name to begin with that of its Service. Both are functions of what they name, and two things never
 * share one: what has to be changed to fit gets a hash, and so does every Revision.
 */

/** Of a DNS label. */
const LONGEST = 63;
/** Leaves room for a tag before it, and for revision and hash behind it, in one DNS label. */
const LONGEST_SERVICE = 40;
const HASH = 10;
/** How a name with a hash ends: a plain one that looks so gets a hash, too. */
const HASHED = /-x[0-9a-f]{10}$/;

/** The Knative Service of a model: its own name, wherever that is possible. */
export function serviceName(model: string): string {
  const isFit = /^[a-z]/.test(model) && model.length <= LONGEST_SERVICE && !HASHED.test(model);
  if (isFit) return model;
  const start = /^[a-z]/.test(model) ? model : `m-${model}`;
  return `${cut(start, LONGEST_SERVICE - HASH - 2)}-x${hash(model)}`;
}

/**
 * The Knative Revision of a revision. The hash is over all that the user can say of it: a revision that is deleted
 * and made again with other content has another name, although Knative never changes a Revision.
 */
export function revisionName({ key, spec, artifact, inspection }: Workload): string {
  const { model, revision } = partsOfRevisionKey(key);
  const service = serviceName(model);
  const content = hash(
    JSON.stringify([key, sorted(spec), artifact?.digest, inspection?.served?.digest]),
  );
  const room = LONGEST - service.length - HASH - 2;
  return `${service}-${cut(revision, room)}-${content}`;
}

/** The Job of the shards of a batch job: its pods' host names end with their numbers. */
export function shardsJobName(namespace: string, id: string): string {
  return `batch-${cut(id, LONGEST_SERVICE)}-${hash(`${namespace}/${id}`)}`;
}

/** The Job of the program of a job, in the job's own namespace: its pod's name begins with it. */
export function programJobName(namespace: string, id: string): string {
  return `program-${cut(id, LONGEST_SERVICE - 2)}-${hash(`${namespace}/${id}`)}`;
}

/** At most so long, and without a dash at the end. */
function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/-+$/, '');
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HASH);
}

/** The same value with the keys of all objects in order, so that equal values give equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}
