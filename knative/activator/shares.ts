/**
 * How several activators share the pods of a revision without asking each other: all of them know who they are and
 * which pods there are, and come to the same result. Its sum over all activators is exactly what the pods take, so
 * that none is sent more than its concurrency. (Knative's activators share whole pods; this shares places, so that
 * shares differ by one at most.) With fewer pods than activators some must share one, as Knative's do: each gets all
 * places of one pod, and its queue-proxy makes those wait who are too many.
 *
 * @param pods in the order that all activators know.
 * @param concurrency places of each pod; not 0.
 * @param index of this activator among `count`, or -1: it is not known as one yet, and gets all.
 * @returns places on each pod that are this activator's, in the order of `pods`.
 */
export function decideShares(
  pods: number,
  concurrency: number,
  { index, count }: { readonly index: number; readonly count: number },
): number[] {
  const own = Array.from({ length: pods }, () => 0);
  if (index < 0 || count <= 1) return own.map(() => concurrency);
  if (pods < count) return own.map((_, pod) => (pod === index % pods ? concurrency : 0));
  const from = share(pods * concurrency, index, count);
  const to = share(pods * concurrency, index + 1, count);
  return own.map((_, pod) => {
    const first = Math.max(from, pod * concurrency);
    return Math.max(0, Math.min(to, (pod + 1) * concurrency) - first);
  });
}

/** Where the part of this one begins. */
function share(total: number, index: number, count: number): number {
  return Math.floor((total * index) / count);
}
