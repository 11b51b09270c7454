import type { Write } from '#store/store.ts';
import { makeSplitWrite, type ModelEntry } from './catalog.ts';
import { sharesOf } from './resolve.ts';

/** The split that keeps what serves, if something does. */
export function makeKept({
  key,
  resolved,
}: Pick<ModelEntry, 'key' | 'resolved'>): Write | undefined {
  const targets = sharesOf(resolved.targets);
  if (targets.length === 0) return undefined;
  const why = 'it served when selection began';
  return makeSplitWrite(key, { by: 'selection', why, targets });
}
