import type { RoutingTarget } from '#domain/routing.ts';
import { Fault } from '#lib/fault.ts';
import type { TrafficEntry } from '../api/objects.ts';
import { serviceName } from './names.ts';

/** A DNS label that begins with a letter (RFC 1035): Knative takes no other tag. */
const TAG = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
/** `tag-service` is the first label of the tag's host. */
const LONGEST_LABEL = 63;

/**
 * A model's split as rows of its Knative Service: all of them with a revision's name, so that a new revision gets
 * no traffic by itself. `kept` are revisions without a row that shall stay reachable: Knative never runs what no
 * row names. Knative does not look at headers, which Rouse's own data plane does: of a row with a match only the revision
 * counts here. Throws Fault `invalid` for tags that Knative cannot have.
 */
export function makeTraffic(options: {
  model: string;
  targets: readonly RoutingTarget[];
  kept: readonly string[];
  nameOf: (revision: string) => string;
}): TrafficEntry[] {
  const { model, targets, kept, nameOf } = options;
  const rows = targets.filter(({ match, tag }) => match === undefined || tag !== undefined);
  const named = new Set(rows.map(({ revision }) => revision));
  const matched = targets.map(({ revision }) => revision);
  const more = [...new Set([...kept, ...matched])].filter((one) => !named.has(one)).toSorted();
  return [
    ...rows.map(({ revision, percent, tag }) =>
      makeRow(nameOf(revision), percent, tag === undefined ? undefined : checkTag(tag, model)),
    ),
    ...more.map((revision) => makeRow(nameOf(revision), 0)),
  ];
}

/** Of a model whose first Revision this is. */
export function makeFirstTraffic(revisionName: string): TrafficEntry[] {
  return [makeRow(revisionName, 100)];
}

/** The split that rows say; those that only keep a revision reachable are no part of it. */
export function targetsOf(
  rows: readonly TrafficEntry[],
  revisionOf: (name: string) => string | undefined,
): RoutingTarget[] {
  return rows.flatMap(({ revisionName, percent = 0, tag }) => {
    const revision = revisionName === undefined ? undefined : revisionOf(revisionName);
    if (revision === undefined || (percent === 0 && tag === undefined)) return [];
    return [{ revision, percent, ...(tag !== undefined && { tag }) }];
  });
}

function makeRow(revisionName: string, percent: number, tag?: string): TrafficEntry {
  return { revisionName, latestRevision: false, percent, ...(tag !== undefined && { tag }) };
}

function checkTag(tag: string, model: string): string {
  if (!TAG.test(tag)) {
    throw new Fault(
      'invalid',
      `tag ${tag}: expected one that begins with a letter, as Knative does`,
    );
  }
  const label = `${tag}-${serviceName(model)}`;
  if (label.length > LONGEST_LABEL) {
    throw new Fault(
      'invalid',
      `tag ${tag}: ${label} has ${label.length} characters; a host name's label has at most ${LONGEST_LABEL}`,
    );
  }
  return tag;
}
