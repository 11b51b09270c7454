/**
 * A hashing embedder: every word and every run of three letters is hashed to one of 256 places of a vector,
 * with a sign, and the vector is scaled to length 1. Nothing is learned; texts that share words are near.
 *
 *   curl -s localhost:8080/v1/models/embed:predict -d '{"instances": ["a cat", "the cat"]}'
 *   curl -s localhost:8080/v1/embeddings -d '{"model": "embed", "input": ["a cat", "the cat"]}'
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

/** The vectors in the shape of OpenAI's API. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (!pathname.endsWith('/embeddings')) return refuse(404, `no such path: ${pathname}`);
  if (request.method !== 'POST') return refuse(405, `found ${request.method}, expected POST`);
  const body: unknown = await request.json().catch(() => undefined);
  if (!isObject(body)) return refuse(400, 'expected a JSON object with input');
  const { model = 'embed', encoding_format: format = 'float' } = body;
  const texts: unknown[] = Array.isArray(body['input']) ? body['input'] : [body['input']];
  if (texts.length === 0 || texts.some((text) => typeof text !== 'string')) {
    return refuse(400, 'input: expected a text or a list of texts');
  }
  if (format !== 'float' && format !== 'base64') {
    return refuse(400, 'encoding_format: expected float or base64');
  }
  const data = texts.map((text, index) => {
    const vector = embed(String(text));
    const embedding =
      format === 'float' ? Array.from(vector) : Buffer.from(vector.buffer).toString('base64');
    return { object: 'embedding', index, embedding };
  });
  const tokens = texts.join(' ').split(/\s+/).length;
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return Response.json({ object: 'list', data, model, usage });
}

function refuse(status: number, message: string): Response {
  const error = { message, type: 'invalid_request_error', param: null, code: null };
  return Response.json({ error }, { status });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

  fetch: answer,
};
