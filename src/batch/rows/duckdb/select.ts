import { isInteger, isNumeric } from '../cast.ts';
import type { Reading } from '../readings.ts';
import type { ColumnHead } from '../rows.ts';
import { quoteName, sqlTypeOf } from './sql.ts';

/** Files as a relation of SQL. */
export interface Relation {
  /** A call of a table function. */
  readonly sql: string;
  /** Columns have their own types, or are text, or text that is JSON where it is a list. */
  readonly cells: 'types' | 'text' | 'json';
  readonly columns: readonly ColumnHead[];
}

/** More of a value than this is no help in a message. */
const MAX_FOUND = 60;
/** What the last column says of a row of which nothing could be read. */
export const NOTHING = '-';
/** What it says of the row behind the last one. */
export const END = '=';

/**
 * Rows from `offset` on. A value that does not fit is null, and the last column says of its row which one it was and
 * what was found there: `12 abc`. A row of its own marks the end.
 */
export function makeSelect(
  relation: Relation,
  readings: readonly Reading[],
  offset: number,
): string {
  const cells = readings.map((reading, index) => makeCell(relation, reading, index));
  const inner = cells.flatMap(({ index, raw, value }) => [
    `${raw} AS r${index}`,
    `${value} AS c${index}`,
  ]);
  const misfits = cells.filter(({ exact }) => !exact).map(makeMisfit);
  if (relation.cells === 'json') {
    const all = relation.columns.map(({ name }) => quoteName(name));
    inner.push(`coalesce(${all.join(', ')}) IS NULL AS nothing`);
    misfits.unshift(`WHEN nothing THEN '${NOTHING}'`);
  }
  const bad = misfits.length > 0 ? `CASE ${misfits.join(' ')} END` : 'NULL::VARCHAR';
  return (
    `SELECT ${cells.map(({ index }) => `c${index}, `).join('')}${bad} AS bad ` +
    `FROM (SELECT ${inner.join(', ')} FROM ${relation.sql} OFFSET ${offset}) ` +
    `UNION ALL SELECT ${cells.map(() => 'NULL, ').join('')}'${END}'`
  );
}

interface Cell extends Reading {
  readonly index: number;
  readonly raw: string;
  readonly value: string;
  /** No value can be a misfit. */
  readonly exact: boolean;
}

function makeCell({ cells }: Relation, { from, to }: Reading, index: number): Cell {
  const name = quoteName(from.name);
  const list = to.width !== undefined;
  const raw = cells === 'json' && list ? `TRY_CAST(${name} AS JSON)` : name;
  const typed = cells === 'types' && from.type === to.type;
  const exact = !list && (typed || to.type === 'BYTES');
  return { from, to, index, raw, value: castOf(raw, from, to, exact), exact };
}

function castOf(raw: string, from: ColumnHead, to: ColumnHead, exact: boolean): string {
  const type = sqlTypeOf(to);
  if (exact) return `CAST(${raw} AS ${type})`;
  if (to.width !== undefined) return `TRY_CAST(${raw} AS ${type})`;
  if (from.type === 'BOOL' && isNumeric(to.type)) {
    return `CAST(TRY_CAST(${raw} AS BOOLEAN) AS ${type})`;
  }
  // As a number every other than 0 would be true.
  if (to.type === 'BOOL') return `TRY_CAST(CAST(${raw} AS VARCHAR) AS BOOLEAN)`;
  return `TRY_CAST(${raw} AS ${type})`;
}

function makeMisfit({ index, from, to }: Cell): string {
  const lost = `c${index} IS NULL`;
  // A cast to an integer rounds.
  const rounded = `c${index}::DOUBLE <> TRY_CAST(r${index} AS DOUBLE)`;
  const rounds = isInteger(to.type) && to.width === undefined && from.type !== 'BOOL';
  const misfit = rounds ? `(${lost} OR ${rounded})` : lost;
  const found = `left(CAST(r${index} AS VARCHAR), ${MAX_FOUND})`;
  return `WHEN r${index} IS NOT NULL AND ${misfit} THEN '${index} ' || ${found}`;
}
