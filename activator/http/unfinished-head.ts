import type { Refusal } from '../refusal.ts';
import { BARE_LF, makeHeadTooLarge, NOT_HTTP } from './refusals.ts';
import { CR, LF, TOKEN } from './characters.ts';

/**
 * Why a head that has not come to its end is no request, as far as it has come: `buffer` from `start` to `end`. In
 * the first `seen` bytes of it no bare LF was found. `limit`: bytes that a head may have.
 */
export function refuseUnfinished(
  buffer: Buffer,
  start: number,
  end: number,
  seen: number,
  limit: number,
): Refusal | undefined {
  if (end > start && TOKEN[buffer[start]!] !== 1 && buffer[start] !== CR) return NOT_HTTP;
  if (end - start > limit) return makeHeadTooLarge(limit);
  return hasBareLf(buffer, start + seen, end) ? BARE_LF : undefined;
}

/** Whether an LF from `from` to `to` has no CR before it: such a head would never come to its end. */
function hasBareLf(buffer: Buffer, from: number, to: number): boolean {
  let at = buffer.indexOf(LF, from);
  while (at >= 0 && at < to && buffer[at - 1] === CR) at = buffer.indexOf(LF, at + 1);
  return at >= 0 && at < to;
}
