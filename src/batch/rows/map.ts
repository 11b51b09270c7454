import type { TensorInfo } from '#domain/records.ts';
import type { Problem } from '#lib/fault.ts';
import { nearNames } from '#lib/near.ts';
import { canRead, formatType, isNumeric } from './cast.ts';
import { expectedName, refusal } from './readings.ts';
import { COLUMN_TYPES, type ColumnHead, type ColumnType } from './rows.ts';

/** Which columns are the inputs of a model. */

export interface MappedInput {
  readonly name: string;
  readonly datatype: ColumnType | 'FP16';
  /** Of one row; empty: one value. */
  readonly shape: readonly number[];
  /** Which of `reads`. */
  readonly column: number;
}

export interface ColumnMap {
  /** For `RowSource.read`: one for each input. */
  readonly reads: readonly ColumnHead[];
  readonly inputs: readonly MappedInput[];
  /** Rows that each request must have, where the model fixed their number. */
  readonly rows?: number;
}

/** What was said of it: the columns of inputs, by name; a name may hold `*`. */
export type SaidMap = ReadonlyMap<string, readonly string[]>;

/**
 * Each input takes the columns that were said; or the column of its name; or, when it is the only one left, the list or
 * the numeric columns that are as wide as it is, without those of `kept` if only then they are: what stands in the output
 * is often an id. Throws Fault `invalid` that tells all that is wrong.
 */
export function mapColumns(
  columns: readonly ColumnHead[],
  inputs: readonly TensorInfo[],
  said: SaidMap = new Map(),
  kept: readonly string[] = [],
): ColumnMap {
  const problems = unknownInputs(inputs, said);
  const chosen = choose(columns, inputs, said, kept);
  const reads: ColumnHead[] = [];
  const mapped: MappedInput[] = [];
  for (const input of inputs) {
    const found = fit(input, chosen.get(input.name) ?? [], columns, said.has(input.name));
    if ('problems' in found) problems.push(...found.problems);
    else {
      const { read, datatype, shape } = found;
      mapped.push({ name: input.name, datatype, shape, column: reads.length });
      reads.push(read);
    }
  }
  if (problems.length > 0) throw refusal(problems);
  const rows = inputs.map(({ shape }) => shape[0] ?? -1).find((size) => size >= 0);
  return { reads, inputs: mapped, ...(rows !== undefined && { rows }) };
}

function unknownInputs(inputs: readonly TensorInfo[], said: SaidMap): Problem[] {
  const names = inputs.map(({ name }) => name);
  return [...said.keys()]
    .filter((name) => !names.includes(name))
    .map((name) => {
      const near = nearNames(name, names);
      const right = (near.length > 0 ? near : names).map((one) => `"${one}"`);
      return { key: `--map ${name}`, value: 'no such input', expected: right.join(' or ') };
    });
}

/** Names of columns for each input, as far as any are found. */
function choose(
  columns: readonly ColumnHead[],
  inputs: readonly TensorInfo[],
  said: SaidMap,
  kept: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const chosen = new Map<string, readonly string[]>();
  for (const { name } of inputs) {
    const names = said.get(name);
    if (names)
      chosen.set(
        name,
        names.flatMap((one) => expand(one, columns)),
      );
    else if (columns.some((column) => column.name === name)) chosen.set(name, [name]);
  }
  const [left, ...others] = inputs.filter(({ name }) => !chosen.has(name));
  if (left && others.length === 0) {
    const used = new Set([...chosen.values()].flat());
    const free = columns.filter(({ name }) => !used.has(name));
    chosen.set(left.name, guess(left, free, kept));
  }
  return chosen;
}

/** `p*` is every column that begins with a p, in their order. */
function expand(name: string, columns: readonly ColumnHead[]): string[] {
  if (!name.includes('*') || columns.some((column) => column.name === name)) return [name];
  const parts = name.split('*').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const pattern = new RegExp(`^${parts.join('.*')}$`, 's');
  const found = columns.filter((column) => pattern.test(column.name));
  return found.length > 0 ? found.map((column) => column.name) : [name];
}

function guess(input: TensorInfo, free: readonly ColumnHead[], kept: readonly string[]): string[] {
  const type = typeOf(input);
  const width = widthOf(input);
  if (!type) return [];
  const sameKind = free.filter((column) =>
    type === 'BYTES' ? column.type === 'BYTES' : column.type !== 'BYTES',
  );
  const lists = sameKind.filter((column) => column.width !== undefined);
  const fitting = lists.filter((column) => width === undefined || column.width === width);
  if (fitting.length === 1) return fitting.map(({ name }) => name);
  const names = sameKind.filter((column) => column.width === undefined).map(({ name }) => name);
  const others = names.filter((name) => !kept.includes(name));
  return names.length !== width && others.length === width ? others : names;
}

type Fit =
  | {
      readonly read: ColumnHead;
      readonly datatype: MappedInput['datatype'];
      readonly shape: readonly number[];
    }
  | { readonly problems: readonly Problem[] };

/** Whether these columns are this input. */
function fit(
  input: TensorInfo,
  names: readonly string[],
  columns: readonly ColumnHead[],
  wasSaid: boolean,
): Fit {
  const key = `input "${input.name}" ${input.datatype} [${input.shape.map((size) => (size < 0 ? '?' : size)).join(', ')}]`;
  const refuse = (value: string, expected: string): Fit => ({
    problems: [{ key, value, expected }],
  });
  const type = typeOf(input);
  if (!type) return refuse(`datatype ${input.datatype}`, `FP16, ${COLUMN_TYPES.join(', ')}`);
  const found = names.map((name) => columns.find((column) => column.name === name));
  const missing = names.find((_, index) => !found[index]);
  if (missing !== undefined) {
    return refuse(`no column "${missing}"`, expectedName(missing, columns));
  }
  const heads = found.filter((column) => column !== undefined);
  const hint = wasSaid ? '' : `; say which with --map ${input.name}=COLUMN,…`;
  const width = heads.length === 1 ? (heads[0]?.width ?? 1) : heads.length;
  const shape = rowShape(input, width);
  if (!shape || heads.length === 0)
    return refuse(formatHeads(heads), `${wantedOf(input, type)}${hint}`);
  const parts = heads.map(({ name, width: list }) => ({
    name,
    type,
    ...(list !== undefined && { width: list }),
  }));
  const lists = heads.length > 1 && heads.find((head) => head.width !== undefined);
  if (lists) return refuse(`${formatHeads([lists])} among others`, `columns of one value each`);
  // A text that was said to be a number may be one, where the format has no types.
  const mayBe = (head: ColumnHead) => wasSaid && head.type === 'BYTES';
  const wrong = heads.find((head, index) => !mayBe(head) && !canRead(head, parts[index] ?? head));
  if (wrong) return refuse(formatHeads([wrong]), `${wantedOf(input, type)}${hint}`);
  const [whole, ...others] = parts;
  const read =
    whole && others.length === 0 ? whole : { name: input.name, type, width, of: [...names] };
  return { read, datatype: input.datatype === 'FP16' ? 'FP16' : type, shape };
}

/** More columns than these nobody reads. */
const MOST_NAMES = 6;

function formatHeads(heads: readonly ColumnHead[]): string {
  if (heads.length === 0) return 'no column for it';
  const names = heads.slice(0, MOST_NAMES).map((head) => `"${head.name}" ${formatType(head)}`);
  const more = heads.length > MOST_NAMES ? ', …' : '';
  return heads.length === 1
    ? `column ${names[0]}`
    : `${heads.length} columns: ${names.join(', ')}${more}`;
}

function wantedOf(input: TensorInfo, type: ColumnType): string {
  const width = widthOf(input);
  const kind = type === 'BYTES' ? 'text' : isNumeric(type) ? 'numeric' : 'BOOL';
  if (width === 1) return `one ${kind} column`;
  const count = width ?? 'some';
  return `${count} ${kind} columns, or one with lists of ${width ?? 'as many'}`;
}

/** FP16 is made of FP32. */
function typeOf({ datatype }: TensorInfo): ColumnType | undefined {
  if (datatype === 'FP16') return 'FP32';
  return COLUMN_TYPES.find((type) => type === datatype);
}

/** Values in a row; undefined: as many as there are. */
function widthOf({ shape }: TensorInfo): number | undefined {
  const row = shape.slice(1);
  return row.some((size) => size < 0)
    ? undefined
    : row.reduce((product, size) => product * size, 1);
}

/** The shape of one row that has so many values; undefined when it cannot have them. */
function rowShape({ shape }: TensorInfo, width: number): number[] | undefined {
  const row = shape.slice(1);
  const known = row.filter((size) => size >= 0).reduce((product, size) => product * size, 1);
  const open = row.filter((size) => size < 0).length;
  if (open === 0) return known === width ? row : undefined;
  if (open > 1 || width % known !== 0) return undefined;
  return row.map((size) => (size < 0 ? width / known : size));
}
