import { Fault, formatProblem, type Problem } from '#lib/fault.ts';
import { nearNames } from '#lib/near.ts';
import { canRead, formatType } from './cast.ts';
import type { ColumnHead } from './rows.ts';

/** A column as it is in the files, and as it shall be read. */
export interface Reading {
  readonly from: ColumnHead;
  readonly to: ColumnHead;
}

/**
 * Throws Fault `invalid` that names every column that is not there or holds something else. `cells`: what the format
 * has; where that is no types, any text may be a number.
 */
export function readingsOf(
  columns: readonly ColumnHead[],
  as: readonly ColumnHead[],
  cells: 'types' | 'text' | 'json',
): readonly Reading[] {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const readings = as.map((to) => ({ from: byName.get(to.name), to }));
  const problems = readings.flatMap(({ from, to }) => problemOf(from, to, columns, cells));
  if (problems.length > 0) throw refusal(problems);
  return readings.flatMap(({ from, to }) => (from ? [{ from, to }] : []));
}

/** All of them in a line. */
export function refusal(problems: readonly Problem[]): Fault {
  return new Fault('invalid', problems.map(formatProblem).join('; '), { problems });
}

function problemOf(
  from: ColumnHead | undefined,
  to: ColumnHead,
  columns: readonly ColumnHead[],
  cells: 'types' | 'text' | 'json',
): Problem[] {
  const key = `column "${to.name}"`;
  if (!from) return [{ key, value: 'no such column', expected: expectedName(to.name, columns) }];
  const text = from.type === 'BYTES' && from.width === undefined && cells !== 'types';
  if (text && (to.width === undefined || cells === 'json')) return [];
  return canRead(from, to) ? [] : [{ key, value: formatType(from), expected: formatType(to) }];
}

/** Throws Fault `invalid` when a file has other columns than the first. */
export function refuseOthers(
  path: string,
  columns: readonly ColumnHead[],
  first: string,
  expected: readonly ColumnHead[],
): void {
  const [found, right] = [columns, expected].map((heads) =>
    heads.map(({ name }) => name).join(', '),
  );
  if (found === right) return;
  const message = `${path} has the columns ${found}; expected those of ${first}: ${right}`;
  throw new Fault('invalid', message);
}

/** More names than these nobody reads. */
const MOST_NAMES = 20;

export function expectedName(wanted: string, columns: readonly ColumnHead[]): string {
  const names = columns.map(({ name }) => name);
  const near = nearNames(wanted, names);
  if (near.length > 0) return near.map((name) => `"${name}"`).join(' or ');
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return `one of ${names.slice(0, MOST_NAMES).join(', ')}${more}`;
}
