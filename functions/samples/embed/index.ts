/**
 * A hashing embedder: every word and every run of three letters is hashed to one of 256 places of a vector,
 * with a sign, and the vector is scaled to length 1. Nothing is learned; texts that share words are near.
 *
 *   curl -s localhost:8080/v1/models/embed:predict -d '{"instances": ["a cat", "the cat"]}'
 */
const SIZE = 256;

function features(text: string): string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const parts = words.flatMap((word) => {
    const padded = `^${word}$`;
    return Array.from({ length: padded.length - 2 }, (_, at) => padded.slice(at, at + 3));
  });
  return [...words, ...parts];
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  return value >>> 0;
}

function embed(text: string): Float32Array {
  const vector = new Float32Array(SIZE);
  for (const feature of features(text)) {
    const code = hash(feature);
    const place = code % SIZE;
    vector[place] = (vector[place] ?? 0) + (code & 0x10000 ? 1 : -1);
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

export default {
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [-1] }],
  outputs: [{ name: 'embedding', datatype: 'FP32', shape: [-1, SIZE] }],

  predict({ text }: { text: unknown[] }) {
    const wrong = text.find((one) => typeof one !== 'string');
    if (wrong !== undefined) {
      throw Object.assign(new Error(`found ${typeof wrong}, expected texts`), { status: 400 });
    }
    return { embedding: text.map((one) => embed(String(one))) };
  },
};
