import type { Job, Pod } from '../api/objects.ts';

/** What an Indexed Job and its pods say of how it ended. */

export type JobEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly why: string };

/** Undefined: it has not ended. */
export function endOf({ status }: Job): JobEnd | undefined {
  for (const { type, status: holds, reason = '', message = '' } of status?.conditions ?? []) {
    if (holds !== 'True') continue;
    if (type === 'Complete') return { kind: 'complete' };
    if (type === 'Failed')
      return { kind: 'failed', why: message || reason || 'no reason is given' };
  }
  return undefined;
}

/** Characters of what a pod wrote last. */
const SHOWN = 500;

/** What the last pod said that failed; undefined: none of those that are left did. */
export function lastWords(pods: readonly Pod[]): string | undefined {
  const ends = pods.flatMap(({ metadata, status }) =>
    (status?.containerStatuses ?? []).flatMap(({ state }) => {
      const { exitCode = 0, finishedAt = '', message = '', reason = '' } = state?.terminated ?? {};
      if (exitCode === 0) return [];
      const said = message.trim() || reason;
      return [{ finishedAt, text: `pod ${metadata.name} ended with ${exitCode}: ${said}` }];
    }),
  );
  const [last] = ends.toSorted((a, b) => (a.finishedAt < b.finishedAt ? 1 : -1));
  return last?.text.slice(0, SHOWN);
}
