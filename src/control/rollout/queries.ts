import { partsOfRevisionKey } from '#domain/names.ts';
import type { RolloutSpec } from '#domain/rollout.ts';
import type { SignalInput } from '#domain/scaling-signals.ts';
import type { QueryReading } from '#policies/rollout/queries.ts';

/** What the metrics of rollouts ask others, of both revisions in one round, again and again while the rollout is open. */
export interface Queries {
  follow(model: string, spec: RolloutSpec, sides: Sides): void;
  read(model: string, spec: RolloutSpec, sides: Sides): readonly QueryReading[];
  forget(model: string): void;
}

/** Keys of revisions. */
export interface Sides {
  readonly stable: string;
  readonly canary: string;
}

/** Asks them all, again and again, whoever follows them. */
export interface Asked {
  /** How often, ms. */
  readonly every: number;
  follow(asker: string, questions: readonly SignalInput[]): void;
  sighting(asker: string, question: SignalInput): QueryReading['stable'];
  forget(asker: string): void;
}

/** Those that ask Prometheus. */
export function createQueries({ asked }: { asked: Asked }): Queries {
  return {
    follow(model, spec, { stable, canary }) {
      const questions = queriesOf(spec).flatMap((query) => [
        questionOf(query, stable),
        questionOf(query, canary),
      ]);
      asked.follow(askerOf(model), questions);
    },
    read: (model, spec, { stable, canary }) =>
      queriesOf(spec).map((query) => ({
        query,
        stable: asked.sighting(askerOf(model), questionOf(query, stable)),
        canary: asked.sighting(askerOf(model), questionOf(query, canary)),
        every: asked.every,
      })),
    forget: (model) => asked.forget(askerOf(model)),
  };
}

function queriesOf({ metrics }: RolloutSpec): string[] {
  return metrics.flatMap((metric) => (metric.metric === 'prometheus' ? [metric.query] : []));
}

/** The names are labels of DNS: nothing in them ends a string of the query. */
function questionOf(query: string, revision: string): SignalInput {
  const names = Object.entries(partsOfRevisionKey(revision));
  const filled = names.reduce((text, [key, name]) => text.replaceAll(`\${${key}}`, name), query);
  return { signal: 'prometheus', query: filled };
}

/** No key of a revision, by which the autoscaler asks. */
function askerOf(model: string): string {
  return `rollout ${model}`;
}
