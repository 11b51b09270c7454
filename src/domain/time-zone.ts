/** How far the clock on the wall is ahead of UTC, by the rules of a place. */
export interface TimeZone {
  readonly name: string;
  /** Milliseconds at that moment (ms since the epoch). */
  offsetAt(time: number): number;
}

/** Undefined: nobody knows a zone of this name (as `Europe/Berlin`, `UTC`). */
export function findTimeZone(name: string): TimeZone | undefined {
  const format = formatOf(name);
  if (!format) return undefined;
  return {
    name,
    offsetAt(time) {
      const parts = format.formatToParts(time);
      return readOffset(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '');
    },
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset', hour: '2-digit' });
  } catch {
    return undefined;
  }
}

/** `GMT`, `GMT+05:30`, `GMT-00:44:30`. */
function readOffset(text: string): number {
  const [, sign, ...numbers] = /^GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text) ?? [];
  const [hours = 0, minutes = 0, seconds = 0] = numbers.map((number) => Number(number ?? 0));
  const ms = ((hours * 60 + minutes) * 60 + seconds) * 1000;
  return sign === '-' ? -ms : ms;
}
