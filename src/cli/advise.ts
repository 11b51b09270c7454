import { suggest } from './suggest.ts';

interface Row {
  readonly revision: string;
  readonly percent: number;
}

/** Enough to see whether a new revision works, little enough to do no harm. */
const CANARY_PERCENT = 10;

/**
 * What became of the requests when `latest` was added, and how to share them. Without a split they all go to
 * it at once; a split that names revisions does not move by itself.
 */
export function adviseTraffic(
  model: { readonly server: string; readonly namespace: string; readonly name: string },
  latest: string,
  before: readonly Row[],
  now: readonly Row[],
): string[] {
  const shareOf = (rows: readonly Row[]): number =>
    rows.find(({ revision }) => revision === latest)?.percent ?? 0;
  if (before.length === 0 || shareOf(before) > 0) return [];
  const split = suggest(['traffic', model.name, ...splitWith(latest, before)], model);
  if (shareOf(now) === 100) {
    return [`  traffic  100 % went to ${latest} at once. To split it: ${split}`];
  }
  if (shareOf(now) > 0) return [];
  return [`  traffic  the split stays as it was. Send some to ${latest}: ${split}`];
}

/** All rows stay; the largest gives. */
function splitWith(latest: string, rows: readonly Row[]): string[] {
  const shared = rows.filter(({ percent }) => percent > 0);
  const [most] = shared.toSorted((a, b) => b.percent - a.percent);
  const given = Math.min(CANARY_PERCENT, most?.percent ?? 0);
  const kept = shared.map(
    (row) => `${row.revision}=${row === most ? row.percent - given : row.percent}`,
  );
  return [...kept, `${latest}=${given}`];
}
