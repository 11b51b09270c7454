import { jsonOf } from '#lib/json.ts';
import type { ColumnHead, ColumnType } from '../rows.ts';

type Kind = Pick<ColumnHead, 'type' | 'width'>;

/** Columns of JSON objects, in the order in which they come up. Texts that are no objects are passed over. */
export function guessJsonTypes(texts: Iterable<string>): ColumnHead[] {
  const kinds = new Map<string, Kind | undefined>();
  for (const text of texts) {
    const row = jsonOf(text);
    if (typeof row !== 'object' || row === null || Array.isArray(row)) continue;
    for (const [name, value] of Object.entries(row)) {
      kinds.set(name, join(kinds.get(name), kindOf(value)));
    }
  }
  // A name of which only nulls were seen may become anything: text can be read as that.
  return [...kinds].map(([name, kind]): ColumnHead => {
    if (!kind) return { name, type: 'BYTES' };
    const { type, width } = kind;
    return width === undefined ? { name, type } : { name, type, width };
  });
}

/** Undefined: null, or a list of nothing, which tells nothing. */
function kindOf(value: unknown): Kind | undefined {
  if (value === null) return undefined;
  if (!Array.isArray(value)) return { type: typeOf(value) };
  const items: readonly unknown[] = value;
  if (items.some((item) => typeof item === 'object' && item !== null)) return { type: 'BYTES' };
  const kind = items.map(kindOf).reduce(join, undefined);
  return kind && { type: kind.type, width: items.length };
}

function typeOf(value: unknown): ColumnType {
  if (typeof value === 'boolean') return 'BOOL';
  if (typeof value !== 'number') return 'BYTES';
  return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? 'INT64' : 'FP64';
}

/** What holds both. The length of lists is that of the first: others are rows that do not fit. */
function join(a: Kind | undefined, b: Kind | undefined): Kind | undefined {
  if (!a || !b) return a ?? b;
  if ((a.width === undefined) !== (b.width === undefined)) return { type: 'BYTES' };
  if (a.type === b.type) return a;
  const numbers = [a.type, b.type].every((type) => type === 'INT64' || type === 'FP64');
  return { ...a, type: numbers ? 'FP64' : 'BYTES' };
}
