import type { SignalInput } from '#domain/scaling-signals.ts';
import { modelOf } from '#domain/names.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Sighting } from '#policies/scaling/signals.ts';
import type { Measures } from '../../measures/measures.ts';
import { MEASURE_MS, QUERY_MS, measureOf } from './signal-specs.ts';

/**
 * Signals that others have to be asked for: a Prometheus, or what users post of a model.
 *
 * 1. Each question is asked once per round, whoever has it, and at most `AT_ONCE` at the same time.
 * 2. The last answer stands with its time; a failure is told when that is too old.
 */
export interface Asked {
  /** How often a round begins, ms. */
  readonly every: number;
  follow(revision: string, signals: readonly SignalInput[]): void;
  sighting(revision: string, signal: SignalInput): Sighting;
  forget(revision: string): void;
  close(): Promise<void>;
}

/** Answers with a number, or throws with a reason that ends a sentence beginning with the signal's name. */
export type Query = (query: string) => Promise<number>;

/** Enough for hundreds of questions a round, and few for who is asked. */
const AT_ONCE = 4;
/** What was measured longer ago is not looked for. */
const MEASURES_MS = 4 * MEASURE_MS;

interface Answer {
  readonly value?: number;
  readonly at: number;
  readonly failure?: string;
}

interface Question {
  readonly id: string;
  readonly ask: () => Promise<Pick<Answer, 'value' | 'at'>>;
}

export function createAsked(options: {
  clock: Clock;
  log: Log;
  measures: Measures;
  query: Query;
}): Asked {
  const { clock, log, measures, query } = options;
  const questions = new Map<string, readonly Question[]>();
  let answers = new Map<string, Answer>();
  const loop = createLoop({
    clock,
    everyMs: QUERY_MS,
    step: askAll,
    onError: (error) => log.error({ error: messageOf(error) }, 'signals were not asked for'),
  });

  async function readMeasure(model: string, name: string): Promise<Pick<Answer, 'value' | 'at'>> {
    const buckets = await measures.readAll(model, name, clock.now() - MEASURES_MS);
    const minute = Math.max(...buckets.map((bucket) => bucket.minute));
    const last = buckets.filter((bucket) => bucket.minute === minute);
    const count = last.reduce((sum, bucket) => sum + bucket.count, 0);
    if (count === 0) throw new Error('was not posted lately');
    const value = last.reduce((sum, bucket) => sum + bucket.sum, 0) / count;
    return { value, at: Math.min(clock.now(), (minute + 1) * MEASURE_MS) };
  }

  function questionOf(revision: string, signal: SignalInput): Question | undefined {
    const measure = measureOf(signal);
    if (signal.query !== undefined) {
      const { query: text } = signal;
      return {
        id: `query ${text}`,
        ask: async () => ({ value: await query(text), at: clock.now() }),
      };
    }
    if (measure === undefined) return undefined;
    const model = modelOf(revision);
    return { id: `measure ${model} ${measure}`, ask: () => readMeasure(model, measure) };
  }

  async function askOne({ id, ask }: Question, next: Map<string, Answer>): Promise<void> {
    try {
      next.set(id, await ask());
    } catch (error) {
      const { value, at } = answers.get(id) ?? { at: 0 };
      next.set(id, { ...(value !== undefined && { value }), at, failure: messageOf(error) });
    }
  }

  async function askAll(): Promise<void> {
    const all = new Map([...questions.values()].flat().map((one) => [one.id, one]));
    const waiting = [...all.values()];
    const next = new Map<string, Answer>();
    const work = async (): Promise<void> => {
      for (let one = waiting.shift(); one; one = waiting.shift()) await askOne(one, next);
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, waiting.length) }, work));
    answers = next;
  }

  return {
    every: QUERY_MS,
    follow(revision, signals) {
      const mine = signals.flatMap((signal) => questionOf(revision, signal) ?? []);
      const before = questions.get(revision)?.map(({ id }) => id) ?? [];
      if (mine.length === 0) {
        questions.delete(revision);
        return;
      }
      if (mine.every(({ id }, index) => before[index] === id) && mine.length === before.length)
        return;
      questions.set(revision, mine);
      loop.ask();
    },
    sighting(revision, signal) {
      const answer = answers.get(questionOf(revision, signal)?.id ?? '');
      if (!answer) return { value: undefined, at: 0, missing: 'was not asked for yet' };
      const { value, at, failure } = answer;
      const isOld = clock.now() - at > 3 * QUERY_MS;
      if (failure !== undefined && (value === undefined || isOld)) {
        return { value: undefined, at, missing: failure };
      }
      return { value, at };
    },
    forget: (revision) => void questions.delete(revision),
    close: () => loop.close(),
  };
}
