import { messageOf } from './fault.ts';
import type { Log } from './log.ts';

/** Calls each in order. One that throws has a bug: that is logged, and keeps nothing from the others. */
export function callEach<T>(listeners: readonly ((news: T) => void)[], news: T, log: Log): void {
  for (const listener of listeners) {
    try {
      listener(news);
    } catch (error) {
      log.error({ error: messageOf(error) }, 'a listener failed');
    }
  }
}
