import { COLUMN_TYPES, type ColumnHead, type ColumnType } from '../rows.ts';

/** How names, texts and types stand in SQL. */

export const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  BOOL: 'BOOLEAN',
  INT8: 'TINYINT',
  INT16: 'SMALLINT',
  INT32: 'INTEGER',
  INT64: 'BIGINT',
  UINT8: 'UTINYINT',
  UINT16: 'USMALLINT',
  UINT32: 'UINTEGER',
  UINT64: 'UBIGINT',
  FP32: 'FLOAT',
  FP64: 'DOUBLE',
  BYTES: 'VARCHAR',
};

const COLUMN_TYPES_OF = new Map<string, ColumnType>([
  ...COLUMN_TYPES.map((type) => [SQL_TYPES[type], type] as const),
  ['HUGEINT', 'FP64'],
  ['UHUGEINT', 'FP64'],
]);

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function quoteTexts(texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(', ')}]`;
}

export function sqlTypeOf({ type, width }: Pick<ColumnHead, 'type' | 'width'>): string {
  return width === undefined ? SQL_TYPES[type] : `${SQL_TYPES[type]}[${width}]`;
}

/** `DECIMAL(9,2)` is FP64, `INTEGER[]` and `INTEGER[3]` are lists of INT32. What V2 has no type for is text. */
export function parseSqlType(sql: string): { readonly type: ColumnType; readonly list: boolean } {
  const [, element = sql, list] = /^(.*?)(\[\d*\])?$/.exec(sql) ?? [];
  const type = element.startsWith('DECIMAL(') ? 'FP64' : COLUMN_TYPES_OF.get(element);
  return type ? { type, list: list !== undefined } : { type: 'BYTES', list: false };
}
