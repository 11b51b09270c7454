import { parsePrometheusAnswer } from '#domain/prometheus.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { askJson } from '../../ask-json.ts';
import type { Query } from './asked.ts';

/** What it may take: a value that is later than this is of no use, and others wait. */
const TIMEOUT_MS = 5000;

/** Asks the server's Prometheus for one number. `url`: where its API begins; undefined: there is none. */
export function createPrometheus({ url, clock }: { url: string | undefined; clock: Clock }): Query {
  return async (query) => {
    if (url === undefined) throw new Fault('unavailable', 'has no server: set prometheus.url');
    const address = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
    address.searchParams.set('query', query);
    return parsePrometheusAnswer(await askJson(address, {}, { clock, limit: TIMEOUT_MS }));
  };
}
