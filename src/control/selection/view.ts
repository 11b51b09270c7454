import type { Decided, SelectionState, SelectionView, Strategy } from '#domain/selection.ts';
import type { ModelEntry } from '../records/catalog.ts';
import { servingOf } from '../records/resolve.ts';

/** What is shown of a selection. `decided`: may be newer than what is stored. */
export function makeSelectionView(
  entry: ModelEntry,
  shown: {
    readonly strategy: Strategy;
    readonly state: SelectionState | undefined;
    readonly decided: Decided | undefined;
    readonly nextLookAt: number | undefined;
  },
): SelectionView {
  const { strategy, state, decided, nextLookAt } = shown;
  const serving = servingOf(entry.resolved);
  const { wanted, asked, lookedAt = 0 } = state ?? {};
  return {
    strategy,
    ...(serving !== undefined && { serving }),
    ...(wanted && { wanted }),
    ...(decided && { decided }),
    ...(asked !== undefined && { rollingOut: asked }),
    lookedAt: Math.max(lookedAt, decided?.at ?? 0),
    ...(nextLookAt !== undefined && { nextLookAt }),
  };
}
