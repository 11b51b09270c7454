import type { Artifacts } from '#store/artifacts.ts';
import type { Store } from '#store/store.ts';

/** What a process that can be killed between any two steps has of the world. */
export interface Killable {
  readonly store: Store;
  readonly artifacts: Artifacts;
  /** After so many more steps it is dead: nothing that it asks for is done or answered any more. */
  killAfter(steps: number): void;
  readonly isDead: boolean;
  /** Calls that have not come to their end in the world. */
  readonly underWay: number;
}

/**
 * Each call is a step, and one that is under way may come to its end in the world, but is not answered: a process dies
 * before it asks, while it waits for the answer, or after it.
 */
export function makeKillable(world: { store: Store; artifacts: Artifacts }): Killable {
  let left = Infinity;
  let underWay = 0;
  const isDead = (): boolean => left <= 0;

  function wrap<T extends object>(target: T): T {
    return new Proxy(target, {
      get(object, name) {
        const found: unknown = Reflect.get(object, name);
        if (typeof found !== 'function') return found;
        return (...given: unknown[]): unknown => {
          if (isDead()) return new Promise<never>(() => undefined);
          left--;
          const answer: unknown = Reflect.apply(found, object, given);
          if (!(answer instanceof Promise)) return answer;
          underWay++;
          return answer.finally(() => underWay--).then(unlessDead, refuseUnlessDead);
        };
      },
    });
  }

  function unlessDead<T>(answer: T): T | Promise<never> {
    return isDead() ? new Promise<never>(() => undefined) : answer;
  }

  async function refuseUnlessDead(error: unknown): Promise<never> {
    if (!isDead()) throw error;
    return await new Promise<never>(() => undefined);
  }

  return {
    store: wrap(world.store),
    artifacts: wrap(world.artifacts),
    killAfter(steps) {
      left = steps;
    },
    get isDead() {
      return isDead();
    },
    get underWay() {
      return underWay;
    },
  };
}
