import { formatDuration } from '#domain/units.ts';
import { formatYaml } from '#lib/yaml.ts';
import type { Output } from './io.ts';

export const FORMATS = ['table', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, cell.length);
    }
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** What was read, as it is for programs, or as a table for people. */
export function print(
  out: Output,
  format: Format,
  value: unknown,
  table: () => readonly (readonly string[])[],
): void {
  if (format === 'json') out.write(`${JSON.stringify(value, undefined, 2)}\n`);
  else if (format === 'yaml') out.write(formatYaml(value));
  else out.write(formatTable(table()));
}

export function formatAge(now: number, at: number): string {
  return formatDuration(Math.max(0, now - at));
}
