import type { Clock } from '#lib/clock.ts';
import { decideArtifact } from '#policies/retention/artifacts.ts';
import type { Fate } from '#policies/retention/retention.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { Catalog } from '../records/catalog.ts';
import { type DeletedBook, digestsOf } from './deleted.ts';
import type { Watch } from './watch.ts';
import type { Turns } from '../records/turns.ts';

/** Content that no revision has. */
export interface FreeArtifact {
  readonly digest: string;
  /** Bytes, and its name; of what is incomplete nothing is known. */
  readonly size: number;
  readonly name: string;
  readonly fate: Fate;
}

/**
 * Finds stored content that nothing refers to, and removes it when it may go.
 *
 * 1. Referred to is what a revision has, one that can be restored included, what jobs have that have not ended, what
 *    schedules name, and the files of the folders among that.
 * 2. Whoever is about to refer to content touches it first (`Artifacts.touch`, or a put). What was touched after it was
 *    judged is not removed: see `Artifacts.removeUntouched`.
 */
export interface ArtifactSweep {
  /** Without removing anything. */
  look(): Promise<FreeArtifact[]>;
  /** Those that were removed. */
  sweep(): Promise<FreeArtifact[]>;
}

type Seen = FreeArtifact & { readonly touchedAt: number };

export function createArtifactSweep(options: {
  artifacts: Artifacts;
  catalog: Catalog;
  deleted: DeletedBook;
  watch: Watch;
  clock: Clock;
  alone: Turns;
  /** Digests that others need. */
  contentInUse: () => readonly string[];
  /** ms. */
  unusedFor: number;
}): ArtifactSweep {
  const { artifacts, catalog, deleted, watch, clock, alone, unusedFor, contentInUse } = options;
  /** Since when nothing is seen to refer to it, in this life of control. */
  let freeSince = new Map<string, number>();

  async function listReferred(): Promise<Set<string>> {
    const found = new Set<string>(contentInUse());
    for (const key of catalog.keys({ prefix: '', limit: catalog.size })) {
      for (const { value } of catalog.model(key)?.revisions.values() ?? []) {
        for (const digest of digestsOf(value)) found.add(digest);
      }
    }
    for (const { digests } of deleted.all()) for (const digest of digests) found.add(digest);
    for (const digest of Array.from(found)) {
      if ((await artifacts.stat(digest))?.kind !== 'folder') continue;
      for (const file of await artifacts.filesOf(digest)) found.add(file);
    }
    return found;
  }

  async function listFree(): Promise<{ digest: string; touchedAt: number }[]> {
    const referred = await listReferred();
    const found: { digest: string; touchedAt: number }[] = [];
    for await (const content of artifacts.list()) {
      if (!referred.has(content.digest)) found.push(content);
    }
    const now = clock.now();
    freeSince = new Map(found.map(({ digest }) => [digest, freeSince.get(digest) ?? now]));
    return found;
  }

  function judge({ digest, touchedAt }: { digest: string; touchedAt: number }): Fate {
    const now = clock.now();
    const since = freeSince.get(digest) ?? now;
    const seen = { touchedAt, freeSince: since, gaps: watch.gaps };
    return decideArtifact(unusedFor, seen, now);
  }

  async function look(): Promise<Seen[]> {
    const found: Seen[] = [];
    for (const content of await listFree()) {
      const { size = 0, name = '' } = (await artifacts.stat(content.digest)) ?? {};
      found.push({ ...content, size, name, fate: judge(content) });
    }
    return found;
  }

  /** Nobody begins to refer to anything meanwhile; whoever did since the look is seen here. */
  async function remove(due: readonly Seen[]): Promise<FreeArtifact[]> {
    const referred = await listReferred();
    const removed: FreeArtifact[] = [];
    for (const each of due) {
      if (referred.has(each.digest)) continue;
      if (await artifacts.removeUntouched(each.digest, each.touchedAt + 1)) removed.push(each);
    }
    return removed;
  }

  return {
    look,
    async sweep() {
      const due = (await look()).filter(({ fate }) => !fate.keep);
      return due.length === 0 ? [] : await alone(() => remove(due));
    },
  };
}
