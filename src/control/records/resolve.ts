import type { TrafficTarget } from '#domain/model.ts';
import type { RevisionRecord } from '#domain/records.ts';
import type { RoutingTarget } from '#domain/routing.ts';

/** What a split comes to now. */
export interface ResolvedTraffic {
  /** Rows with a share sum to 100, or there are none; each names a Ready revision. */
  readonly targets: readonly RoutingTarget[];
  /** Revisions whose rows have to wait until they are Ready. */
  readonly waitingFor: readonly string[];
}

/** A split that a part has set in place of the one that people wrote; that one stays in the document. */
export interface SplitInForce {
  readonly by: SplitOwner;
  readonly why: string;
  /** Shares that sum to 100. */
  readonly targets: readonly RoutingTarget[];
}

/** The keys of the model file that may set a split. */
export const SPLIT_OWNERS = ['rollout', 'selection'] as const;
export type SplitOwner = (typeof SPLIT_OWNERS)[number];

type Row = Omit<TrafficTarget, 'percent'> & { readonly percent?: number | undefined };

const ALL_TO_LATEST: readonly Row[] = [{ latest: true, percent: 100 }];

/**
 * A request must never be sent to a revision that is not Ready, and no request may fail because a split is
 * being changed. So a split takes effect as a whole, once each row with a share is Ready. Until then `held`
 * serves: what was resolved when the split was written. A model that never served anything has nothing to
 * hold: its ready rows share all of the traffic in proportion. Tags and matches work as soon as their revision is Ready.
 *
 * A split in force takes the place of all shares. It names only revisions that are Ready; one that is gone leaves its
 * share to the others, and if none is there, what people wrote counts.
 */
export function resolveTraffic(
  traffic: readonly Row[] | undefined,
  revisions: Iterable<RevisionRecord>,
  held: readonly RoutingTarget[],
  inForce?: SplitInForce,
): ResolvedTraffic {
  const ready = readyOf(revisions);
  const rows = (traffic ?? ALL_TO_LATEST).map((row) => resolveRow(row, ready));
  const served = rows.filter((row) => row.ready).map((row) => row.target);
  const forced = keepReady(inForce?.targets ?? [], ready.names);
  if (forced.length > 0) return { targets: withNamed(forced, served), waitingFor: [] };
  const waiting = rows.filter((row) => !row.ready && row.target.percent > 0);
  if (waiting.length === 0) return { targets: served, waitingFor: [] };
  const waitingFor = waiting.map((row) => row.target.revision);
  const kept = keepReady(held, ready.names);
  if (kept.length === 0) return { targets: shareOut(served), waitingFor };
  return { targets: withNamed(kept, served), waitingFor };
}

function keepReady(
  shares: readonly RoutingTarget[],
  ready: ReadonlySet<string>,
): readonly RoutingTarget[] {
  return shareOut(shares.filter((target) => ready.has(target.revision)));
}

/** Who asks by a tag or with a header has named the revision: a share of the others says nothing of that. */
function withNamed(
  shares: readonly RoutingTarget[],
  served: readonly RoutingTarget[],
): RoutingTarget[] {
  const named = served.flatMap(({ revision, tag, match }) =>
    tag === undefined && match === undefined
      ? []
      : [{ revision, percent: 0, ...(tag !== undefined && { tag }), ...(match && { match }) }],
  );
  return [...shares, ...named];
}

/** The revision with most of the traffic; undefined: none has any. */
export function servingOf({ targets }: Pick<ResolvedTraffic, 'targets'>): string | undefined {
  return sharesOf(targets).toSorted((a, b) => b.percent - a.percent)[0]?.revision;
}

/** The shares of a split that is served now, to be held while the next one gets ready. */
export function sharesOf(targets: readonly RoutingTarget[]): RoutingTarget[] {
  return targets
    .filter((target) => target.percent > 0)
    .map(({ revision, percent }) => ({ revision, percent }));
}

function resolveRow(
  row: Row,
  ready: { names: ReadonlySet<string>; latest: string | undefined },
): { target: RoutingTarget; ready: boolean } {
  const { revision = ready.latest ?? 'latest', percent = 0, tag, match } = row;
  const target = { revision, percent, ...(tag !== undefined && { tag }), ...(match && { match }) };
  return { target, ready: ready.names.has(revision) };
}

function readyOf(revisions: Iterable<RevisionRecord>): {
  names: ReadonlySet<string>;
  latest: string | undefined;
} {
  const names = new Set<string>();
  let latest: RevisionRecord | undefined;
  for (const revision of revisions) {
    if (revision.state !== 'Ready') continue;
    names.add(revision.name);
    if (!latest || revision.ordinal > latest.ordinal) latest = revision;
  }
  return { names, latest: latest?.name };
}

/** Scales shares to whole percents that sum to 100; what rounding leaves goes to the largest remainders. */
function shareOut(targets: readonly RoutingTarget[]): RoutingTarget[] {
  const sum = targets.reduce((total, target) => total + target.percent, 0);
  if (sum === 0 || sum === 100) return [...targets];
  const scaled = targets.map((target) => (target.percent * 100) / sum);
  const shares = scaled.map((share) => Math.floor(share));
  let left = 100 - shares.reduce((total, share) => total + share, 0);
  const order = scaled
    .map((share, index) => ({ index, rest: share % 1 }))
    .sort((a, b) => b.rest - a.rest);
  for (const { index } of order) {
    if (left-- <= 0) break;
    shares[index] = (shares[index] ?? 0) + 1;
  }
  return targets.map((target, index) => ({ ...target, percent: shares[index] ?? 0 }));
}
