import type { Pod } from '../api/objects.ts';

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
