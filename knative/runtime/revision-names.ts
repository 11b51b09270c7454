import { partsOfModelKey, partsOfRevisionKey, revisionKey } from '#domain/names.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { KnativeRevision } from '../api/objects.ts';
import { revisionKeyOf } from '../manifests/labels.ts';
import { revisionName } from '../manifests/names.ts';

/** Which Knative Revision stands for which revision of a model. */
export interface RevisionNames {
  /** All that were made of a revision, by its key: one that was made again with other content has several. */
  of(key: string): KnativeRevision[];
  /** The one that is ordered, or else the newest, of those that are there. */
  nameOf(revision: string): string | undefined;
  revisionOf(name: string): string | undefined;
}

export function createRevisionNames(options: {
  model: string;
  revisionsOf: (model: string) => Iterable<KnativeRevision>;
  ordered: (key: string) => Workload | undefined;
}): RevisionNames {
  const { model, ordered } = options;
  const { namespace, model: name } = partsOfModelKey(model);
  const all = (): KnativeRevision[] => Array.from(options.revisionsOf(model));
  const of = (key: string): KnativeRevision[] =>
    all().filter((each) => revisionKeyOf(each) === key);

  return {
    of,
    nameOf(revision) {
      const key = revisionKey(namespace, name, revision);
      const names = of(key)
        .toSorted(byAge)
        .map(({ metadata }) => metadata.name);
      const order = ordered(key);
      const wanted = order && revisionName(order);
      return wanted !== undefined && names.includes(wanted) ? wanted : names[0];
    },
    revisionOf(made) {
      const found = all().find(({ metadata }) => metadata.name === made);
      const key = found && revisionKeyOf(found);
      return key === undefined ? undefined : partsOfRevisionKey(key).revision;
    },
  };
}

/** The newest first. */
function byAge(a: KnativeRevision, b: KnativeRevision): number {
  const [one = '', two = ''] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return two.localeCompare(one);
}
