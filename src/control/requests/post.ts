import { lookup } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { hostOf } from '#domain/address.ts';
import { createAddressPolicy } from '#lib/addresses.ts';
import type { Clock } from '#lib/clock.ts';
import { causeOf, Fault } from '#lib/fault.ts';
import { abortable, createTimeLimit } from '../wait.ts';
import { readResponse, retryAfterMs } from './http.ts';

/** Standard Webhooks asks receivers to answer within 15 to 30 s. */
const TIMEOUT_MS = 20_000;
/** Nobody reads what a receiver says. */
const MOST_ANSWER = 64 * 1024;

export interface Posted {
  /** 0: there was no answer. */
  readonly status: number;
  readonly failure: string;
  /** It may never be sent there. */
  readonly isForbidden: boolean;
  readonly retryAfterMs: number;
}

export type Resolve = (host: string) => Promise<readonly { readonly address: string }[]>;

/** Sends webhooks to strangers' addresses. */
export interface Poster {
  post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<Posted>;
  /** Why nothing can be sent there, as far as the address itself says. */
  findWrong(url: string): string | undefined;
}

/**
 * A name is resolved once for each attempt, and the connection goes to an address that was looked at: what the name
 * resolves to a moment later does not matter. Redirects are not followed.
 *
 * @param networks that may be reached though they are not public; there also without TLS.
 */
export function createPoster(options: {
  networks: readonly string[];
  clock: Clock;
  resolve?: Resolve;
}): Poster {
  const { clock, resolve = (host) => lookup(host, { all: true, verbatim: true }) } = options;
  const { isPublic, isNamed } = createAddressPolicy(options.networks);

  function reasonAgainst(url: URL, address: string): string | undefined {
    if (isNamed(address)) return undefined;
    if (!isPublic(address))
      return `${address} is not a public address; a server's --webhooks-allow names others`;
    if (url.protocol === 'https:') return undefined;
    return 'http:// is for the networks of webhooks.allow: elsewhere webhooks go over https://';
  }

  /** Throws Fault `forbidden` when all that it resolves to is. */
  async function addressFor(url: URL, signal: AbortSignal): Promise<string> {
    const host = hostOf(url);
    const found = isIP(host) ? [{ address: host }] : await abortable(resolve(host), signal);
    const good = found.find(({ address }) => reasonAgainst(url, address) === undefined);
    if (good) return good.address;
    const [first] = found;
    if (!first) throw new Error(`${host} has no address`);
    throw new Fault('forbidden', reasonAgainst(url, first.address) ?? '');
  }

  async function send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<Posted> {
    const address = await addressFor(url, signal);
    const request = url.protocol === 'https:' ? requestHttps : requestHttp;
    const length = String(Buffer.byteLength(body));
    const sent = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': length },
      lookup: pinnedTo(address),
      agent: false,
      signal,
    });
    sent.end(body);
    const response = await readResponse(sent, MOST_ANSWER);
    const after = retryAfterMs(response);
    return { status: response.status, failure: '', isForbidden: false, retryAfterMs: after };
  }

  return {
    findWrong(text) {
      const url = new URL(text);
      const host = hostOf(url);
      return isIP(host) ? reasonAgainst(url, host) : undefined;
    },
    async post(url, headers, body, signal) {
      const time = createTimeLimit(clock, TIMEOUT_MS, signal);
      try {
        return await send(new URL(url), headers, body, time.signal);
      } catch (error) {
        if (signal.aborted) throw error;
        const isForbidden = error instanceof Fault && error.code === 'forbidden';
        const failure = time.isOver ? `no answer within ${TIMEOUT_MS / 1000} s` : causeOf(error);
        return { status: 0, failure, isForbidden, retryAfterMs: 0 };
      } finally {
        time.close();
      }
    },
  };
}

function pinnedTo(address: string): LookupFunction {
  const family = isIP(address);
  return (_host, { all }, done) => {
    if (all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
}
