import { join } from 'node:path';
import type { Spec } from '../measure/model.ts';

const MODELS = join(import.meta.dirname, 'models');
const DIGITS = join(import.meta.dirname, '../../functions/samples/digits');
const V2 = '/v2/models/any/infer';
const NUMBERS = '{"inputs":[{"name":"x","datatype":"FP64","shape":[3],"data":[1,2,3]}]}';

/** Nothing stands by: `/proc` would show what a process stood by with, not what it became. */
const FRESH = ['--pool', '0'];

/** One kind of cold start. To add one, add it here. */
export interface ColdRow {
  readonly name: string;
  /** How it is run, as in a model file. */
  readonly revision: Spec;
  readonly path: string;
  /** A JSON file or text to post; without one it is a GET. */
  readonly body?: { readonly file: string } | { readonly text: string };
  /** Flags of the `rouse serve` that it is measured with; rows with the same flags share one. */
  readonly flags: readonly string[];
  /** Program of C, to be put in front of the arguments. */
  readonly tool?: 'instance';
}

export const ROWS: readonly ColdRow[] = [
  {
    name: 'c',
    tool: 'instance',
    revision: { runtime: 'command', args: ['fd', '${LISTEN_FD}'] },
    path: '/',
    flags: FRESH,
  },
  {
    name: 'command',
    revision: {
      runtime: 'command',
      args: [process.execPath, join(MODELS, 'listen.cjs'), '${LISTEN_FD}'],
    },
    path: '/',
    flags: FRESH,
  },
  {
    name: 'python',
    revision: { runtime: 'python', source: join(MODELS, 'python') },
    path: V2,
    body: { text: NUMBERS },
    flags: FRESH,
  },
  {
    name: 'function',
    revision: { runtime: 'function', source: join(MODELS, 'function.ts') },
    path: V2,
    body: { text: NUMBERS },
    flags: FRESH,
  },
  {
    name: 'onnx',
    revision: { runtime: 'onnx', source: join(DIGITS, 'v2.onnx') },
    path: V2,
    body: { file: join(DIGITS, 'three.json') },
    flags: FRESH,
  },
];
