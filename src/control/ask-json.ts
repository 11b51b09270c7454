import type { Clock } from '#lib/clock.ts';
import { causeOf, Fault } from '#lib/fault.ts';
import { createTimeLimit } from './wait.ts';

/** One number is asked for; thousands are a mistake. */
const MOST_BYTES = 256 * 1024;

/**
 * What is answered to a question for a number, read as JSON. Throws a Fault whose message ends a sentence that begins with the
 * name of what was asked for. Nobody is led elsewhere: an address is the word of who may write it, a redirect anybody's.
 *
 * @param options `limit`: ms for all of it.
 */
export async function askJson(
  url: string | URL,
  request: Pick<RequestInit, 'method' | 'headers' | 'body' | 'signal'>,
  { clock, limit }: { clock: Clock; limit: number },
): Promise<unknown> {
  const time = createTimeLimit(clock, limit, request.signal);
  try {
    return await ask(url, { ...request, signal: time.signal, redirect: 'error' });
  } catch (error) {
    if (error instanceof Fault) throw error;
    const why = time.isOver ? ' in time' : `: ${causeOf(error)}`;
    throw new Fault('unavailable', `is not answered${why}`, { cause: error });
  } finally {
    time.close();
  }
}

async function ask(url: string | URL, request: RequestInit): Promise<unknown> {
  const response = await fetch(url, request);
  const text = await readText(response);
  if (!response.ok) throw new Fault('bad_upstream', `is refused with ${response.status}`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault('bad_upstream', 'has an answer that is no JSON', { cause });
  }
}

async function readText({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body ?? []) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Fault('bad_upstream', `has more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
