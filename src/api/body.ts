import type { Context } from 'hono';
import { Fault, messageOf } from '#lib/fault.ts';
import { parseYaml } from '#lib/yaml.ts';

/** A document: many times the largest model file that makes sense, and quick to check. */
const MAX_BYTES = 1024 * 1024;

export const DOCUMENT_TYPES = ['application/json', 'application/yaml'] as const;

/** The media type without its parameters, in lower case. */
export function mediaTypeOf(context: Context): string {
  const [type = ''] = (context.req.header('content-type') ?? '').split(';');
  return type.trim().toLowerCase();
}

/** The body of a write, from JSON or YAML: one document. */
export async function readDocument(context: Context): Promise<unknown> {
  const text = await readText(context.req.raw.body, MAX_BYTES);
  if (mediaTypeOf(context) === 'application/json') return parseJson(text);
  const documents = parseYaml(text, 'body');
  const [document] = documents;
  if (documents.length === 1 && document) return document.value;
  throw new Fault('bad_request', `the body has ${documents.length} documents, expected one`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Fault('bad_request', `the body is no JSON: ${messageOf(error).slice(0, 200)}`);
  }
}

async function readText(body: ReadableStream<Uint8Array> | null, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > limit) {
      throw new Fault('too_large', `the body has more than ${limit} bytes, which is the limit`);
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Fault('bad_request', 'the body is no UTF-8 text');
  }
}
