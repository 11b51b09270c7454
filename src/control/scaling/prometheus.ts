import { parsePrometheusAnswer } from '#domain/prometheus.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, causeOf } from '#lib/fault.ts';
import type { Query } from './asked.ts';

/** What it may take: a value that is later than this is of no use, and others wait. */
const TIMEOUT_MS = 5000;
/** One value; a query that gives thousands of series is a mistake. */
const MOST_BYTES = 256 * 1024;

/** Asks the server's Prometheus for one number. `url`: where its API begins; undefined: there is none. */
export function createPrometheus({ url, clock }: { url: string | undefined; clock: Clock }): Query {
  return async (query) => {
    if (url === undefined) throw new Fault('unavailable', 'has no server: set prometheus.url');
    const address = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
    address.searchParams.set('query', query);
    const ending = new AbortController();
    const timer = clock.after(TIMEOUT_MS, () => ending.abort());
    try {
      return parsePrometheusAnswer(await ask(address, ending.signal));
    } catch (error) {
      if (error instanceof Fault) throw error;
      const why = ending.signal.aborted ? ' in time' : `: ${causeOf(error)}`;
      throw new Fault('unavailable', `is not answered${why}`, { cause: error });
    } finally {
      timer.cancel();
    }
  };
}

/** Nobody is led elsewhere: the address is the operator's, the query anybody's who may deploy. */
async function ask(address: URL, signal: AbortSignal): Promise<unknown> {
  const response = await fetch(address, { signal, redirect: 'error' });
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
