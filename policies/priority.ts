import { PRIORITIES, type Priority } from '#domain/priority.ts';

/** Classes as numbers, in the order of `PRIORITIES`. */
export const HIGH = 0;
export const NORMAL = 1;
export const LOW = 2;

/**
 * A request of one class is as urgent as one of the next lower class that came this much earlier. Longer than
 * most cold starts, so that classes count while a model wakes; far shorter than the usual hold budget of a
 * minute, so that a low request is served within it even when high ones never end.
 */
export const HEAD_START_MS = 10_000;

/**
 * Which class is served next: the one whose next request has the earliest arrival, each class but the first
 * set back by one more head start. Ties go to the more urgent class.
 *
 * Bound: a request of a higher class goes before the next one of a lower class only when it came at most
 * `HEAD_START_MS` per class between them later. What came after that waits, so nothing starves.
 *
 * @param high arrival of the class's next request, ms; Infinity: nobody of that class waits.
 * @returns `HIGH`, `NORMAL` or `LOW`; -1: nobody waits.
 */
export function pickClass(high: number, normal: number, low: number): number {
  let best = high;
  let picked = high === Number.POSITIVE_INFINITY ? -1 : HIGH;
  if (normal + HEAD_START_MS < best) {
    best = normal + HEAD_START_MS;
    picked = NORMAL;
  }
  return low + LOW * HEAD_START_MS < best ? LOW : picked;
}

/**
 * The class of a request. Nobody gets a higher one than is allowed; asking for it is no error.
 *
 * @param asked what the caller sent, '' for nothing.
 * @param highest what it may have, and has when it asks for nothing.
 * @returns `HIGH`, `NORMAL` or `LOW`; -1: there is no such priority.
 */
export function decidePriority(asked: string, highest: Priority): number {
  const most = highest === 'normal' ? NORMAL : PRIORITIES.indexOf(highest);
  if (asked === '') return most;
  const wanted = (PRIORITIES as readonly string[]).indexOf(asked.toLowerCase());
  return wanted < 0 ? -1 : Math.max(wanted, most);
}
