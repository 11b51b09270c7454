/** `no instance`, `1 instance`, `3 instances`: the number as every reason says it. */
export function formatCount(count: number): string {
  if (count === 0) return 'no instance';
  return count === 1 ? '1 instance' : `${count} instances`;
}

/** Why what waits and runs now decides, where so many are ready. */
export function coldWords(ready: number): string {
  return ready === 0 ? 'none is ready' : 'woken just now';
}

/** A figure for people: at most two decimals. */
export function formatFigure(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Longer queries are cut in reasons. */
const MOST_SHOWN = 40;

/** A query, short enough for a sentence. */
export function shorten(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
