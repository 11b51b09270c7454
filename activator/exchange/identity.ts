import type { Caller } from '#domain/records.ts';
import { decidePriority, NORMAL } from '#policies/priority.ts';
import { type Callers, NO_KEY } from '../callers.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Refusal } from '../refusal.ts';
import { makeBadField, MISPLACED_KEY, UNKNOWN_KEY } from './refusals.ts';

/**
 * Who asks with a request, and how urgent that may be: the holder of the key that it shows, or whoever is at its
 * address. One per exchange: a connection that shows the same key again is known.
 */
export class Identity {
  caller: Caller;
  priority = NORMAL;
  private shown = NO_KEY;

  constructor(atAddress: Caller) {
    this.caller = atAddress;
  }

  /** A key that is ours is cut from what goes on. Undefined: understood. */
  read(head: RequestHead, atAddress: Caller, callers: Callers): Refusal | undefined {
    const { authorization } = head;
    if (authorization !== '') this.shown = callers.findAgain(this.shown, authorization);
    const holder = authorization === '' ? 'foreign' : this.shown.holder;
    if (holder === 'unknown') return UNKNOWN_KEY;
    if (callers.isMisplaced(head)) return MISPLACED_KEY;
    head.cutAuthorization(holder !== 'foreign');
    this.caller = holder === 'foreign' ? atAddress : holder.caller;
    const highest = holder === 'foreign' ? 'normal' : holder.priority;
    this.priority = decidePriority(head.rousePriority, highest);
    return this.priority < 0 ? makeBadField('Rouse-Priority', head.rousePriority) : undefined;
  }
}
