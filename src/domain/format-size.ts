const UNITS = [
  ['Ti', 2 ** 40],
  ['Gi', 2 ** 30],
  ['Mi', 2 ** 20],
  ['Ki', 2 ** 10],
] as const;

/**
 * `1536` bytes as `1.5Ki`: what `size` of `units.ts` reads, rounded to one decimal. Not there: the process that starts programs
 * says sizes, too, and reads none.
 */
export function formatSize(bytes: number): string {
  for (const [unit, factor] of UNITS) {
    if (bytes >= factor) return `${Number((bytes / factor).toFixed(1))}${unit}`;
  }
  return String(bytes);
}
