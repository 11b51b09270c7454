import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Random } from '#test/fuzz/random.ts';

/** Pictures for the sample model `digits`, with what they show: drawn by hand, and blurred by a seed. */
export interface Picture {
  readonly label: number;
  /** 64 pixels, 0 to 16. */
  readonly pixels: readonly number[];
}

const SAMPLES = resolve(import.meta.dirname, '../../functions/samples/digits');

/** Those that the sample's models know from each other, drawn by this hand. */
const DRAWN: Readonly<Record<number, string>> = {
  0: '...##... ..####.. .##..##. .#....#. .#....#. .##..##. ..####.. ...##...',
  2: '..####.. .##..##. .....##. ....##.. ...##... ..##.... .##..... .######.',
  5: '.#####.. .#...... .#...... .####... .....#.. .....#.. .#...#.. ..###...',
  7: '.######. .....##. .....#.. ....##.. ...##... ...#.... ..##.... ..#.....',
};
const INK = 14;
const BLUR = 1.5;

const CLEAN: readonly Picture[] = [
  ...Object.entries(DRAWN).map(([label, rows]) => ({
    label: Number(label),
    pixels: Array.from(rows.replaceAll(' ', ''), (dot) => (dot === '#' ? INK : 0)),
  })),
  { label: 3, pixels: readThree() },
];

export function drawPicture(random: Random): Picture {
  const { label, pixels } = random.pick(CLEAN);
  const blurred = pixels.map((pixel) => pixel + BLUR * normal(random));
  return { label, pixels: blurred.map((pixel) => Math.max(0, Math.min(16, pixel))) };
}

/** The better one of the sample's models, with each weight off by a few dozen percent: it is still right mostly. */
export function makeWorseModel(random: Random): Buffer {
  const model = readFileSync(resolve(SAMPLES, 'v2.onnx'));
  for (const name of ['coefficient', 'coefficient1']) {
    const { from, to } = findWeights(model, name);
    for (let at = from; at < to; at += 4) {
      model.writeFloatLE(model.readFloatLE(at) * (1 + 0.6 * normal(random)), at);
    }
  }
  return model;
}

const FLOAT_BYTES = 4;
const WEIGHTS: Readonly<Record<string, number>> = { coefficient: 64 * 128, coefficient1: 128 * 10 };

/** In the file the name of a tensor comes right after its values: field 8 of a TensorProto, after field 4. */
function findWeights(model: Buffer, name: string): { from: number; to: number } {
  const to = model.indexOf(Buffer.from([0x42, name.length, ...Buffer.from(name)]));
  const from = to - (WEIGHTS[name] ?? 0) * FLOAT_BYTES;
  if (to < 0 || from < 0) throw new Error(`no weights ${name} in the sample`);
  return { from, to };
}

function readThree(): number[] {
  const { inputs } = JSON.parse(readFileSync(resolve(SAMPLES, 'three.json'), 'utf8'));
  return inputs[0].data;
}

/** G. Box, M. Muller (1958). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}
