import type { Figure } from './figures.ts';

/** A table that reads well on a terminal and is Markdown: the first column to the left, figures to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(row[column] ?? '', width, column)).join(' | ')} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n');
}

function pad(cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width);
}

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
