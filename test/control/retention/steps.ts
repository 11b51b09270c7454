import fc from 'fast-check';
import { ROLLOUT_ACTIONS, type RolloutAction } from '#domain/rollout.ts';

/** What can happen in a history. */
export type Step =
  | { do: 'deploy'; model: string; content: number; keeps: Keeps; brings: Brings }
  | { do: 'push'; content: number }
  | { do: 'traffic'; model: string; first: number; share: number }
  | { do: 'use' | 'hold' | 'let go' | 'delete revision' | 'restore revision'; revision: string }
  | { do: 'serve'; model: string; spans: number; newestFails: boolean }
  | { do: 'roll out'; model: string; action: RolloutAction }
  | { do: 'select'; revision: string }
  | { do: 'delete'; model: string; now: boolean }
  | { do: 'restore'; model: string }
  | { do: 'collect' }
  | { do: 'pass'; spans: number }
  | { do: 'kill'; after: number; away: number }
  | { do: 'restart'; away: number };

/** What the model file says of retention. */
export type Keeps = 'nothing' | 'pinned' | 'lasting';
/** Whether a new revision takes over by itself, or when it is chosen. */
export type Brings = 'itself' | 'choice';

const MODELS = ['a', 'a', 'b'];
const model = fc.constantFrom(...MODELS);
const revision = fc
  .tuple(model, fc.constantFrom(1, 1, 2, 2, 3, 4))
  .map(([name, number]) => `default/${name}/0000${number}`);
const away = fc.constantFrom(0, 1, 90);
const content = fc.integer({ min: 1, max: 4 });

function one<T extends Step['do']>(what: T): { do: fc.Arbitrary<T> } {
  return { do: fc.constant(what) };
}

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...one('deploy'),
      model,
      content,
      keeps: fc.constantFrom<Keeps>('nothing', 'nothing', 'pinned', 'lasting'),
      brings: fc.constantFrom<Brings>('itself', 'itself', 'choice'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...one('push'), content }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ...one('traffic'),
      model,
      first: fc.integer({ min: 1, max: 3 }),
      share: fc.nat(100),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('use' as const, 'use' as const, 'hold' as const, 'let go' as const),
      revision,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('delete revision' as const, 'restore revision' as const),
      revision,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      ...one('serve'),
      model,
      spans: fc.integer({ min: 1, max: 6 }),
      newestFails: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...one('roll out'),
      model,
      action: fc.constantFrom(...ROLLOUT_ACTIONS),
    }),
  },
  { weight: 2, arbitrary: fc.record({ ...one('select'), revision }) },
  { weight: 2, arbitrary: fc.record({ ...one('delete'), model, now: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ ...one('restore'), model }) },
  { weight: 1, arbitrary: fc.record(one('collect')) },
  {
    weight: 8,
    arbitrary: fc.record({ ...one('pass'), spans: fc.integer({ min: 1, max: 25 }) }),
  },
  { weight: 2, arbitrary: fc.record({ ...one('kill'), after: fc.nat(40), away }) },
  { weight: 1, arbitrary: fc.record({ ...one('restart'), away }) },
);
