import { makeMeasureRecord, type Measure } from '#domain/measures.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, formatProblem, type Problem } from '#lib/fault.ts';
import type { Store } from '#store/store.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import { MAX_MEASURE_PAGE } from '../limits.ts';
import { requireRole } from '../roles.ts';
import type { UseCases } from './usecases.ts';

/** Labels come minutes or days after the request; ids are remembered for longer. */
const LATEST_MS = 7 * 24 * 3_600_000;
/** How far another machine's clock may be ahead. */
const AHEAD_MS = 60_000;

export function createMeasureUseCases(options: {
  store: Store;
  catalog: Catalog;
  clock: Clock;
}): Pick<UseCases, 'addMeasures' | 'measures'> {
  const { store, catalog, clock } = options;
  return {
    async addMeasures(actor, namespace, model, given) {
      requireRole(actor, 'invoke');
      const now = clock.now();
      refuseWrong(requireModel(catalog, namespace, model), given, now);
      const rows = given.map((measure) => {
        const record = makeMeasureRecord({ namespace, model }, measure, now);
        return measure.id === undefined ? record : { ...record, id: measure.id };
      });
      const repeated = await store.addMeasures(rows);
      return { added: rows.length - repeated, repeated };
    },
    async measures(actor, query) {
      requireRole(actor, 'read');
      requireModel(catalog, query.namespace, query.model);
      return await store.measures({ ...query, limit: Math.min(query.limit, MAX_MEASURE_PAGE) });
    },
  };
}

function refuseWrong(entry: ModelEntry, given: readonly Measure[], now: number): void {
  const problems = given.flatMap((measure, index) => findWrong(entry, measure, index, now));
  if (problems.length === 0) return;
  const lines = problems.map((problem) => `  ${formatProblem(problem)}`).join('\n');
  throw new Fault('invalid', `measures of model ${entry.key}:\n${lines}`, { problems });
}

function findWrong(
  { revisions }: ModelEntry,
  { revision, at }: Measure,
  index: number,
  now: number,
): Problem[] {
  const problems: Problem[] = [];
  const say = (key: string, value: unknown, expected: string): void => {
    problems.push({ key: `measures[${index}].${key}`, value: JSON.stringify(value), expected });
  };
  if (revision !== undefined && !revisions.has(revision)) {
    say('revision', revision, `a revision of the model: ${[...revisions.keys()].join(', ')}`);
  }
  if (at === undefined) return problems;
  if (at > now + AHEAD_MS) say('at', at, `no time to come: it is ${Math.floor(now)}`);
  else if (at < now - LATEST_MS) {
    say('at', at, `a time within the last ${formatDuration(LATEST_MS)}`);
  }
  return problems;
}
