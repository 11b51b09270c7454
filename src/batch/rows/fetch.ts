import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { get as getHttp, type IncomingMessage } from 'node:http';
import { get as getHttps } from 'node:https';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { causeOf, Fault } from '#lib/fault.ts';
import { publicLookup, refusePrivate } from '#lib/private-hosts.ts';
import { fileFault, moveInto, openFile } from './durable.ts';
import type { InputSpec } from './rows.ts';

/** As many as browsers' common libraries follow; more is a loop. */
const REDIRECTS = 5;
/** A server that says nothing for so long has stopped. */
const IDLE_MS = 60_000;
const MAX_NAME = 100;

/**
 * Brings what an address names into the folder, and says where it lies. What a former run brought there is used
 * again: rows that were counted in it must stay the same.
 */
export async function fetchInput({ location, folder, fetch: limits }: InputSpec): Promise<string> {
  const hash = createHash('sha256').update(location).digest('hex').slice(0, 16);
  const path = join(folder, `${hash}-${nameOf(new URL(location))}`);
  if (await stat(path).catch(() => undefined)) return path;
  const partial = `${path}.partial`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const response = await follow(new URL(location), limits.privateHosts);
    await pipeline(limit(response, location, limits.maxBytes), await openFile(partial));
    await moveInto(partial, path, true);
    return path;
  } catch (error) {
    await rm(partial, { force: true });
    throw fetchFault(error, location, partial);
  }
}

function fetchFault(error: unknown, location: string, partial: string): Fault {
  if (error instanceof Fault) return error;
  const local = error instanceof Error && 'path' in error;
  if (local) return fileFault(error, partial);
  return new Fault('unavailable', `${location} could not be fetched: ${causeOf(error)}`, {
    cause: error,
  });
}

async function follow(start: URL, privateHosts: boolean): Promise<IncomingMessage> {
  let url = start;
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    if (!privateHosts) refusePrivate(url);
    const response = await request(url, privateHosts);
    const { statusCode = 0, headers } = response;
    if (statusCode === 200) return response;
    response.destroy();
    if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) {
      const code = statusCode >= 500 || statusCode === 429 ? 'unavailable' : 'invalid';
      throw new Fault(code, `${url.href} answered ${statusCode}: expected 200 with the content`);
    }
    url = new URL(headers.location, url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      const wrong = `${start.href} redirects to ${url.protocol}//: expected http or https`;
      throw new Fault('invalid', wrong);
    }
  }
  throw new Fault('invalid', `${start.href} redirects more than ${REDIRECTS} times`);
}

async function request(url: URL, privateHosts: boolean): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  const options = { timeout: IDLE_MS, ...(!privateHosts && { lookup: publicLookup }) };
  const sent = get(url, options, resolve);
  sent.on('error', reject);
  sent.on('timeout', () => sent.destroy(new Error(`nothing came for ${IDLE_MS / 1000} s`)));
  return await promise;
}

async function* limit(
  response: IncomingMessage,
  location: string,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const declared = Number(response.headers['content-length'] ?? 0);
  let bytes = 0;
  const tooLarge = () =>
    new Fault('too_large', `${location} has more than ${maxBytes} bytes, the most that is fetched`);
  if (declared > maxBytes) throw tooLarge();
  const body: Readable = response;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw tooLarge();
    yield chunk;
  }
}

/** The ending is what tells the format. */
function nameOf(url: URL): string {
  const safe = basename(url.pathname).replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return safe.slice(-MAX_NAME);
}
