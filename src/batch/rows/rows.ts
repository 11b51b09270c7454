/**
 * Rows that a job reads and writes, column by column. The runner knows only these types, and the functions
 *
 * - `openRows(input)` of `open-rows.ts`: a RowSource over a file, a folder, a glob or an address;
 * - `openSink(part, output)` of `open-sink.ts`: a RowSink for one part of the output;
 * - `assemble(parts, output)` of `assemble.ts`: the parts, in order, as one file;
 * - `checkOutput` of `assemble.ts`: what can be known of an output before work starts;
 * - `sliceRows`, `rowOf` of `batches.ts`;
 * - `mapColumns` of `map.ts`: which columns are a model's inputs; `packInput`, `unusableRows` of `pack.ts`.
 */

/** Datatypes of the Open Inference Protocol V2. BYTES is text. */
export const COLUMN_TYPES = [
  'BOOL',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'FP32',
  'FP64',
  'BYTES',
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

/** Row-major. BOOL is held as 0 and 1, INT64 and UINT64 as bigints, BYTES as text. */
export type ColumnValues = NumberValues | BigValues | readonly string[];
export type NumberValues =
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array;
export type BigValues = BigInt64Array | BigUint64Array;

export interface ColumnHead {
  readonly name: string;
  readonly type: ColumnType;
  /** Values in a row; undefined: one value and no list. A list of one is another thing: `[7]` is not `7`. */
  readonly width?: number;
  /**
   * Only where it is read: the names of the columns whose values are woven into this one, row by row, as a model's input
   * lies in memory. They have one value each, and `width` is their number.
   */
  readonly of?: readonly string[];
}

/** One column of a batch. */
export interface Column extends ColumnHead {
  /** `length * (width ?? 1)` of them. What stands where there is a null means nothing. */
  readonly values: ColumnValues;
  /** 1 for each row that has no value, of a woven column for each value; absent: all have one. */
  readonly nulls?: Uint8Array;
}

/** Rows that stand one behind the other. */
export interface RowBatch {
  /** Number of the first row in the whole input, from 0. */
  readonly first: number;
  readonly length: number;
  readonly columns: readonly Column[];
  /**
   * Rows whose values are not what their columns hold, by their index in this batch, with the reason:
   * `column "age": found abc, expected a number`. They are rows like others, with nulls in these places.
   */
  readonly bad?: ReadonlyMap<number, string>;
  /** Nobody looks at its arrays any more: a later batch of the same read may be put into them. */
  readonly recycle?: () => void;
}

/**
 * Where rows come from: whatever passes `test/batch/row-source.ts`. The order of rows is always the same.
 * What cannot be read is a Fault `invalid` that names the file and, where it is known, the line.
 */
export interface RowSource {
  /** Guessed from the first rows, where the format has no types. */
  readonly columns: readonly ColumnHead[];
  /** Undefined where counting means reading. */
  readonly rows?: number;
  /** About as many, where `rows` is undefined: by samples. */
  readonly estimatedRows?: number;
  /** Of all files, as they lie there. */
  readonly bytes: number;
  /** Another one when a file was changed: what was counted in rows then means nothing any more. */
  readonly version: string;
  /**
   * From row `from` on, in batches of exactly `size` rows, the last one may be shorter; nothing is read ahead
   * of who asks. `as`: only these columns, in this order and as these types; a name may come twice.
   * One read at a time. The arrays of a batch stay valid until it is recycled.
   */
  read(from: number, size: number, as?: readonly ColumnHead[]): AsyncIterable<RowBatch>;
  close(): Promise<void>;
}

/** A part of the output: whatever passes `test/batch/row-sink.ts`. */
export interface RowSink {
  /** The columns must be those that the sink was opened with. When it fails, the part is given up. */
  write(batch: RowBatch): Promise<void>;
  /** The part is durable when this resolves, its folder's entry too. A part that was not closed means nothing. */
  close(): Promise<void>;
}

/** An input as it was when it was opened. */
export interface OpenInput extends RowSource {
  /** Whether its files still are what they were then. */
  isUnchanged(): Promise<boolean>;
}

export const FORMATS = ['csv', 'jsonl', 'parquet', 'arrow'] as const;
export type Format = (typeof FORMATS)[number];

export const COMPRESSIONS = ['gzip', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface InputSpec {
  /** An absolute path of a file or folder, a glob, or an `http(s)://` address. */
  readonly location: string;
  /** Undefined: by the ending of the name. */
  readonly format?: Format;
  /** A folder of the job's own, for what has to be fetched or unpacked; what lies there is used again. */
  readonly folder: string;
  /** Addresses: how much is fetched at most, in bytes, and whether hosts of private networks may be asked. */
  readonly fetch: { readonly maxBytes: number; readonly privateHosts: boolean };
}

export interface OutputSpec {
  /** An absolute path. */
  readonly path: string;
  readonly format: Format;
  readonly compression?: Compression;
  readonly columns: readonly ColumnHead[];
  /** Take the place of what is there already; otherwise that is a Fault `conflict`. */
  readonly replace?: boolean;
}
