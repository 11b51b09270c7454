import type { RuntimeName } from '#domain/model.ts';
import { revisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import type { Runtime } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';

/**
 * For which kinds of model servers processes stand by: those that requests can reach. When an instance needs
 * the memory they end, and come back when there has been room for them for a while.
 */
export interface Standby {
  /** A model has changed, appeared or gone. */
  refresh(model: string): void;
  /** What they hold now. */
  bytes(): number;
  /** An instance needs the memory. */
  giveUp(): void;
  /** Called now and then, with the memory that nobody holds or waits for. */
  offer(freeBytes: number): void;
}

/** Coming and going costs more than it gives: only after so long without need. */
const AWAY_MS = 30_000;
/** A process that loads its libraries, before it was measured. */
const GUESS_BYTES = 96 * 2 ** 20;

export function createStandby(options: {
  catalog: Catalog;
  runtime: Runtime;
  clock: Clock;
}): Standby {
  const { catalog, clock } = options;
  const { pool } = options.runtime;
  const byModel = new Map<string, readonly RuntimeName[]>();
  const counts = new Map<RuntimeName, number>();
  let given: { at: number; bytes: number } | undefined;

  function kindsOf(model: string): readonly RuntimeName[] {
    const entry = catalog.model(model);
    const kinds = entry?.resolved.targets.map(({ revision }) => {
      const stored = catalog.revision(revisionKey(entry.namespace, entry.name, revision));
      return stored?.value.spec.runtime;
    });
    return [...new Set(kinds)].filter((kind) => kind !== undefined);
  }

  function count(kinds: readonly RuntimeName[], by: 1 | -1): void {
    for (const kind of kinds) {
      const next = (counts.get(kind) ?? 0) + by;
      if (next > 0) counts.set(kind, next);
      else counts.delete(kind);
    }
  }

  function bytes(): number {
    const views = pool?.views() ?? [];
    return views.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
  }

  function keep(): void {
    if (!given) pool?.keep([...counts.keys()]);
  }

  return {
    refresh(model) {
      const before = [...counts.keys()].toSorted().join();
      count(byModel.get(model) ?? [], -1);
      const kinds = kindsOf(model);
      if (kinds.length > 0) byModel.set(model, kinds);
      else byModel.delete(model);
      count(kinds, 1);
      if ([...counts.keys()].toSorted().join() !== before) keep();
    },
    bytes,
    giveUp() {
      given = { at: clock.now(), bytes: bytes() };
      pool?.keep([]);
    },
    offer(freeBytes) {
      if (!given || clock.now() - given.at < AWAY_MS) return;
      if (freeBytes < Math.max(given.bytes, counts.size * GUESS_BYTES)) return;
      given = undefined;
      keep();
    },
  };
}
