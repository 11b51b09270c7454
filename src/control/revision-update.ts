import { modelKey, partsOfRevisionKey } from '#domain/names.ts';
import type { Actor, RevisionRecord } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import type { Write } from '#store/store.ts';
import { type Catalog, heldKey } from './records/catalog.ts';
import type { Journal } from './records/journal.ts';
import { resolveTraffic } from './records/resolve.ts';
import { pinSplit } from './rollout/split.ts';

const ACTOR: Actor = { id: 'system:revisions', role: 'admin' };
const REASON_LIMIT = 8192;

/** The revision that the work was begun for is not there any more, or somebody else has just changed it. */
export function isSuperseded(error: unknown): boolean {
  return error instanceof Fault && error.code === 'precondition_failed';
}

/**
 * Changes a revision that is still the one that `identity` was read from, and tells why when `type` is given.
 * A split that held on to its former self until this revision became Ready is let go in the same write.
 */
export async function updateRevision(
  options: { catalog: Catalog; journal: Journal; clock: Clock },
  identity: Pick<RevisionRecord, 'createdAt' | 'digest'> & { key: string },
  change: Partial<RevisionRecord>,
  type?: string,
): Promise<RevisionRecord> {
  const { catalog, journal, clock } = options;
  const { key } = identity;
  const stored = catalog.revision(key);
  const same =
    stored?.value.createdAt === identity.createdAt && stored.value.digest === identity.digest;
  if (!stored || !same) throw new Fault('precondition_failed', `revision ${key} is another now`);
  const reason = (change.reason ?? stored.value.reason).slice(0, REASON_LIMIT);
  const value = { ...stored.value, ...change, reason };
  const writes: Write[] = [{ kind: 'revision', key, expected: stored.version, value }];
  const settled = settleHeld(catalog, value);
  if (settled) writes.push(settled);
  const entry = catalog.model(modelKey(value.namespace, value.model));
  const pinned = entry && pinSplit(entry, stored.value, value);
  if (pinned) writes.push(pinned);
  const told = { ...partsOfRevisionKey(key), at: clock.now(), why: reason, actor: ACTOR };
  await journal.commit(writes, type === undefined ? [] : [{ ...told, type }]);
  return value;
}

function settleHeld(catalog: Catalog, value: RevisionRecord): Write | undefined {
  const model = catalog.model(modelKey(value.namespace, value.model));
  if (!model || model.held.length === 0) return undefined;
  const records = [...model.revisions.values()].map((revision) => revision.value);
  const next = [...records.filter((record) => record.name !== value.name), value];
  const traffic = model.stored.value.document.spec.traffic;
  if (resolveTraffic(traffic, next, model.held).waitingFor.length > 0) return undefined;
  return { kind: 'memory', key: heldKey(model.key), value: undefined };
}
