/**
 * Retrains revision v1 of the sample model `digits`, a logistic regression, on new rows.
 *
 *     rouse program --model digits --parent v1 --source retrain.mjs --data rows -- node '${SOURCE}'
 *
 * `rows` is a folder with train.csv and test.csv, with columns p0 … p63 and label. The model begins where its parent is,
 * and learns by stochastic gradient descent from train.csv. Both are measured by test.csv, which none has seen.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CLASSES = 10;
const PIXELS = 64;
/** Of a pixel: 0 is white. */
const BLACK = 16;
const EPOCHS = 60;
const RATE = 0.1;
/** A step through the rows that comes by each of them once, in no order that means anything. */
const STRIDE = 7919;

const { ROUSE_PARENT = '', ROUSE_DATA = '', ROUSE_OUTPUT = '' } = process.env;
const file = readFileSync(ROUSE_PARENT);
const train = readRows(join(ROUSE_DATA, 'train.csv'));
const test = readRows(join(ROUSE_DATA, 'test.csv'));
const parent = readModel(file);
const model = learn(parent, train);
const [before, after] = [measure(parent, test), measure(model, test)];
console.log(`${train.length} rows; right of ${test.length} others: ${before}, now ${after}`);
writeFileSync(join(ROUSE_OUTPUT, 'digits.onnx'), withModel(file, model, after));
writeFileSync(
  join(ROUSE_OUTPUT, 'metrics.json'),
  JSON.stringify({
    metrics: { accuracy: { value: after, count: test.length } },
    parent: { accuracy: { value: before, count: test.length } },
  }),
);

function readRows(path) {
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const names = head.split(',');
  const pixels = Array.from({ length: PIXELS }, (_, pixel) => names.indexOf(`p${pixel}`));
  const label = names.indexOf('label');
  if (label < 0 || pixels.includes(-1)) throw new Error(`${path}: expected p0 … p63 and label`);
  return lines.map((line) => {
    const cells = line.split(',').map(Number);
    return { pixels: pixels.map((at) => cells[at] / BLACK), label: cells[label] };
  });
}

function learn({ weights, biases }, rows) {
  const learned = { weights: weights.map((row) => [...row]), biases: [...biases] };
  for (let step = 0; step < EPOCHS * rows.length; step++) {
    const { pixels, label } = rows[(step * STRIDE) % rows.length];
    const odds = classify(learned, pixels);
    for (let digit = 0; digit < CLASSES; digit++) {
      const error = odds[digit] - (digit === label ? 1 : 0);
      learned.biases[digit] -= RATE * error;
      for (let at = 0; at < PIXELS; at++) {
        learned.weights[digit][at] -= RATE * error * pixels[at];
      }
    }
  }
  return learned;
}

/** How likely each digit is. */
function classify({ weights, biases }, pixels) {
  const scores = weights.map((row, digit) =>
    row.reduce((sum, weight, at) => sum + weight * pixels[at], biases[digit]),
  );
  const highest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function measure(classifier, rows) {
  const right = rows.filter(({ pixels, label }) => {
    const odds = classify(classifier, pixels);
    return odds.indexOf(Math.max(...odds)) === label;
  });
  return right.length / rows.length;
}

/** Weights for pixels from 0 to 1; those of the file are for pixels from 0 to `BLACK`. */
function readModel(onnx) {
  const flat = placesOf(onnx, 'coefficients', CLASSES * PIXELS).map((at) => onnx.readFloatLE(at));
  return {
    weights: Array.from({ length: CLASSES }, (_, digit) =>
      flat.slice(digit * PIXELS, (digit + 1) * PIXELS).map((weight) => weight * BLACK),
    ),
    biases: placesOf(onnx, 'intercepts', CLASSES).map((at) => onnx.readFloatLE(at)),
  };
}

/** The same file with other numbers: nothing in it changes its place. */
function withModel(onnx, { weights, biases }, accuracy) {
  const changed = Buffer.from(onnx);
  const flat = weights.flat().map((weight) => weight / BLACK);
  placesOf(onnx, 'coefficients', flat.length).map((at, n) => changed.writeFloatLE(flat[n], at));
  placesOf(onnx, 'intercepts', biases.length).map((at, n) => changed.writeFloatLE(biases[n], at));
  const said = onnx.indexOf(Buffer.from('\x08accuracy\x12\x06', 'latin1'));
  if (said >= 0) changed.write(accuracy.toFixed(4), said + '_accuracy__'.length);
  return changed;
}

/**
 * Where the numbers of an attribute are: after its name, each behind the byte that says that a number of field 7
 * follows (`floats` of an AttributeProto).
 */
function placesOf(onnx, name, count) {
  const key = Buffer.from([0x0a, name.length, ...Buffer.from(name)]);
  const from = onnx.indexOf(key) + key.length;
  const places = Array.from({ length: count }, (_, n) => from + 5 * n + 1);
  if (from >= key.length && places.every((at) => onnx[at - 1] === 0x3d)) return places;
  throw new Error(`the parent has no ${count} ${name}: expected v1 of the sample`);
}
