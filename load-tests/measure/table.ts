import type { Figure } from './figures.ts';

/** The median with the lowest and the highest value, in multiples of `unit`. */
export function formatFigure(
  { median, low, high }: Figure,
  unit = 1,
  digits = unit === 1 ? 0 : 1,
): string {
  const [middle = '', from = '', to = ''] = [median, low, high].map((value) =>
    (value / unit).toFixed(digits),
  );
  return `${middle} (${from}–${to})`;
}
