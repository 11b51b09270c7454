import { parseHookAnswer } from '#domain/hook.ts';
import { partsOfRevisionKey } from '#domain/names.ts';
import type { RolloutSpec } from '#domain/rollout.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { QueryReading } from '#policies/rollout/queries.ts';
import { askJson } from '../ask-json.ts';
import type { Queries } from './queries.ts';

/**
 * What the metrics of rollouts ask hooks: programs of people that know how good a revision is.
 *
 * 1. Each model has one round at a time, at most one in each interval, in which all its hooks are asked for both revisions.
 *    So a hook that is slow or hangs holds up nobody else's.
 * 2. A round is seen when all of it is answered, or its time is over. Who failed has no value: what was answered before is not
 *    taken for it.
 */
export interface Hooks extends Queries {
  close(): Promise<void>;
}

/** A score may be computed only when it is asked for. */
const LIMIT_MS = 10_000;

type Value = QueryReading['stable'];

interface Round {
  readonly at: number;
  readonly ending: AbortController;
  /** By question, of the last round that is complete. */
  answers: ReadonlyMap<string, Value>;
  /** Undefined: it is complete. */
  running: Promise<void> | undefined;
}

export function createHooks({ clock }: { clock: Clock }): Hooks {
  const rounds = new Map<string, Round>();
  const running = new Set<Promise<void>>();

  async function ask(url: string, revision: string, { at, ending }: Round): Promise<Value> {
    const request = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(partsOfRevisionKey(revision)),
      signal: ending.signal,
    };
    try {
      const value = parseHookAnswer(await askJson(url, request, { clock, limit: LIMIT_MS }));
      return { value, at };
    } catch (error) {
      return { value: undefined, at, missing: messageOf(error) };
    }
  }

  async function askAll(round: Round, questions: readonly (readonly [string, string])[]) {
    const answers = await Promise.all(
      questions.map(
        async ([url, revision]) => [idOf(url, revision), await ask(url, revision, round)] as const,
      ),
    );
    round.answers = new Map(answers);
    round.running = undefined;
  }

  function forget(model: string): void {
    rounds.get(model)?.ending.abort();
    rounds.delete(model);
  }

  return {
    follow(model, spec, { stable, canary }) {
      const urls = urlsOf(spec);
      if (urls.length === 0) return forget(model);
      const last = rounds.get(model);
      if (last && (last.running || clock.now() - last.at < spec.interval)) return;
      const round: Round = {
        at: clock.now(),
        ending: new AbortController(),
        answers: last?.answers ?? new Map(),
        running: undefined,
      };
      rounds.set(model, round);
      const asked = askAll(
        round,
        urls.flatMap((url) => [[url, stable] as const, [url, canary] as const]),
      );
      round.running = asked;
      running.add(asked);
      void asked.finally(() => running.delete(asked));
    },
    read(model, spec, { stable, canary }) {
      const answers = rounds.get(model)?.answers;
      const valueOf = (url: string, revision: string): Value =>
        answers?.get(idOf(url, revision)) ?? UNASKED;
      return urlsOf(spec).map((url) => ({
        query: url,
        stable: valueOf(url, stable),
        canary: valueOf(url, canary),
        every: Math.max(spec.interval, LIMIT_MS),
      }));
    },
    forget,
    async close() {
      for (const model of rounds.keys()) forget(model);
      await Promise.all(running);
    },
  };
}

const UNASKED: Value = { value: undefined, at: 0, missing: 'was not asked for yet' };

function urlsOf({ metrics }: RolloutSpec): string[] {
  return metrics.flatMap((metric) => (metric.metric === 'hook' ? [metric.url] : []));
}

function idOf(url: string, revision: string): string {
  return `${revision} ${url}`;
}
