import { join } from 'node:path';
import type { Spec } from '../measure/model.ts';

const MODELS = join(import.meta.dirname, 'models');
const DIGITS = join(import.meta.dirname, '../../functions/samples/digits');
const V2 = '/v2/models/any/infer';
const NUMBERS = '{"inputs":[{"name":"x","datatype":"FP64","shape":[3],"data":[1,2,3]}]}';

/** One kind of cold start. To add one, add it here. */
export interface ColdRow {
  readonly name: string;
  /** How it is run, as in a model file. */
  readonly revision: Spec;
  readonly path: string;
  /** A JSON file or text to post; without one it is a GET. */
  readonly body?: { readonly file: string } | { readonly text: string };
  /**
   * `fresh`: nothing stands by. `pool`: one process without a model stands by. `parked`: its instance is frozen,
   * as is the floor's; `paged`: and its memory is in swap or zram.
   */
  readonly from: 'fresh' | 'pool' | 'parked' | 'paged';
  /** Program of C, to be put in front of the arguments. */
  readonly tool?: 'instance';
}

const FRESH: readonly ColdRow[] = [
  {
    name: 'c',
    tool: 'instance',
    revision: { runtime: 'command', args: ['fd', '${LISTEN_FD}'] },
    path: '/',
    from: 'fresh',
  },
  {
    name: 'command',
    revision: {
      runtime: 'command',
      args: [process.execPath, join(MODELS, 'listen.cjs'), '${LISTEN_FD}'],
    },
    path: '/',
    from: 'fresh',
  },
  {
    name: 'python',
    revision: { runtime: 'python', source: join(MODELS, 'python') },
    path: V2,
    body: { text: NUMBERS },
    from: 'fresh',
  },
  {
    name: 'function',
    revision: { runtime: 'function', source: join(MODELS, 'function.ts') },
    path: V2,
    body: { text: NUMBERS },
    from: 'fresh',
  },
  {
    name: 'onnx',
    revision: { runtime: 'onnx', source: join(DIGITS, 'v2.onnx') },
    path: V2,
    body: { file: join(DIGITS, 'three.json') },
    from: 'fresh',
  },
];

function againFrom(from: 'pool' | 'parked' | 'paged', ...names: string[]): ColdRow[] {
  const rows = FRESH.filter(({ name }) => names.includes(name));
  return rows.map((row) => Object.assign({}, row, { name: `${row.name}-${from}`, from }));
}

export const ROWS: readonly ColdRow[] = [
  ...FRESH,
  ...againFrom('pool', 'python', 'function', 'onnx'),
  ...againFrom('parked', 'command', 'onnx'),
  ...againFrom('paged', 'onnx'),
  {
    name: 'large-paged',
    revision: {
      runtime: 'command',
      args: [process.execPath, join(MODELS, 'large.cjs'), '${LISTEN_FD}'],
    },
    path: '/',
    from: 'paged',
  },
];
