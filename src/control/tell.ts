import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';

/** Calls each in order. One that throws has a bug: that is logged, and keeps nothing from the others. */
export type Tell = <T>(listeners: readonly ((news: T) => void)[], news: T) => void;

export function createTeller(log: Log): Tell {
  return (listeners, news) => {
    for (const listener of listeners) {
      try {
        listener(news);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'a listener failed');
      }
    }
  };
}
