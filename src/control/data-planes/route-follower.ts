import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { Timers } from '#lib/timers.ts';
import type { RuntimeRoutes } from '#runtime/runtime.ts';
import type { Catalog } from '../records/catalog.ts';

/**
 * Keeps a runtime's own routes as the models' splits are, and has removed what was made for models that are gone,
 * those that went while control was away included.
 */
export interface RouteFollower {
  refresh(model: string): void;
  close(): void;
}

/** What could not be removed is tried again; nobody waits for it. */
const AGAIN_MS = 30_000;

export function createRouteFollower(options: {
  catalog: Pick<Catalog, 'model'>;
  routes: RuntimeRoutes;
  clock: Clock;
  log: Log;
}): RouteFollower {
  const { catalog, routes, clock, log } = options;
  const timers = new Timers(clock);
  const lost = new Set(routes.models().filter((model) => !catalog.model(model)));

  async function forget(model: string): Promise<void> {
    try {
      await routes.forget(model);
      if (!catalog.model(model)) lost.delete(model);
    } catch (error) {
      log.warn({ model, error: messageOf(error) }, 'what was made for a model is not removed yet');
    }
  }

  function forgetLost(): void {
    for (const model of lost) void forget(model);
  }

  forgetLost();
  timers.every(AGAIN_MS, forgetLost);
  return {
    refresh(model) {
      const entry = catalog.model(model);
      if (entry) {
        lost.delete(model);
        routes.route(model, entry.resolved.targets);
      } else {
        lost.add(model);
        void forget(model);
      }
    },
    close: () => timers.close(),
  };
}
