import { Fault } from '#lib/fault.ts';

/** Longer lines are taken for a quote that was never closed. */
export const MAX_LINE = 2 ** 20;
/** Bytes in which a line that is too long can be seen, behind which some may be empty. */
export const LONG_END = 2 * MAX_LINE;

const LINE_ENDS = new Set([0x0a, 0x0d]);

/**
 * Throws Fault `invalid` for a last line that is too long: the library passes over one that its buffer does not hold as if
 * it were not there. One further up is met when it is read. `end`: of the file, at most `LONG_END` bytes.
 */
export function refuseLongEnd(path: string, end: Uint8Array): void {
  const last = end.findLastIndex((byte) => !LINE_ENDS.has(byte));
  const before = end.subarray(0, last + 1).findLastIndex((byte) => LINE_ENDS.has(byte));
  if (last - before <= MAX_LINE) return;
  throw new Fault(
    'invalid',
    `${path}: its last line has more than ${MAX_LINE} bytes; expected less`,
  );
}
