import type { MeasureBucket, MeasureRecord } from '#domain/measures.ts';
import { partsOfModelKey, partsOfRevisionKey } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import type { MeasureQuery, Store } from '#store/store.ts';
import type { Catalog } from '../records/catalog.ts';

/** What was measured of models, for those who judge by it. `since`: ms since the epoch. */
export interface Measures {
  /**
   * Per minute, oldest first; nothing of an older revision that had the same name. What comes late is added to its
   * minute, so that a minute of the past may grow.
   *
   * @param revision `namespace/model/revision`.
   */
  read(revision: string, name: string, since: number): Promise<readonly MeasureBucket[]>;
  /**
   * Of the model as a whole and of all its revisions, minute by minute.
   *
   * @param model `namespace/model`.
   */
  readAll(model: string, name: string, since: number): Promise<readonly MeasureRecord[]>;
}

const MINUTE_MS = 60_000;
/** Rows that are read at once: bounds how long the database is away from others. */
const PAGE = 5000;

export function createMeasures(options: {
  store: Pick<Store, 'measures'>;
  catalog: Pick<Catalog, 'revision'>;
  clock: Clock;
}): Measures {
  const { store, catalog, clock } = options;

  async function readFrom(
    query: Pick<MeasureQuery, 'namespace' | 'model' | 'revision' | 'name'>,
    since: number,
  ): Promise<MeasureRecord[]> {
    const [from, to] = [since, clock.now()].map((at) => Math.floor(at / MINUTE_MS));
    const rows: MeasureRecord[] = [];
    for (;;) {
      const last = rows.at(-1);
      const place = { from: from!, to: to!, ...(last && { after: last }), limit: PAGE };
      const page = await store.measures({ ...query, ...place });
      rows.push(...page);
      if (page.length < PAGE) return rows;
    }
  }

  return {
    async read(revision, name, since) {
      const known = catalog.revision(revision);
      if (!known) return [];
      const { createdAt } = known.value;
      // A clock that was set back since has nothing to say of what was before.
      const madeAt = createdAt > clock.now() ? 0 : createdAt;
      const query = { ...partsOfRevisionKey(revision), name };
      return await readFrom(query, Math.max(since, madeAt));
    },
    readAll: (model, name, since) => readFrom({ ...partsOfModelKey(model), name }, since),
  };
}
