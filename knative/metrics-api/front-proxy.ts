import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '#lib/fault.ts';
import type { ConfigMap } from '../api/objects.ts';
import type { Place } from '../api/resources.ts';

/**
 * Who asks, as the API server says it: it has authenticated and authorized the user, and hands the request on with a
 * certificate of its own and the user's name in a header. How both are known is in a ConfigMap of the cluster.
 */
export interface FrontProxy {
  /** PEM: who signs the API server's certificate. */
  readonly authority: string;
  /** Common names that it may have; none: any. */
  readonly names: readonly string[];
  /** In lower case. */
  readonly userHeaders: readonly string[];
}

export const AUTHENTICATION: Place = {
  namespace: 'kube-system',
  name: 'extension-apiserver-authentication',
};

/** Throws Fault `unavailable` where the API server hands no requests on. */
export function readFrontProxy(map: ConfigMap | undefined): FrontProxy {
  const { data = {} } = map ?? {};
  const authority = data['requestheader-client-ca-file'] ?? '';
  const userHeaders = textsOf(data['requestheader-username-headers']);
  if (authority === '' || userHeaders.length === 0) {
    throw new Fault(
      'unavailable',
      'the API server has no aggregation layer: expected its options --requestheader-client-ca-file, ' +
        '--requestheader-username-headers and --proxy-client-cert-file',
    );
  }
  return {
    authority,
    names: textsOf(data['requestheader-allowed-names']),
    userHeaders: userHeaders.map((header) => header.toLowerCase()),
  };
}

/** The user; undefined: nobody who could be believed has said who it is. */
export function userOf(
  { names, userHeaders }: FrontProxy,
  peer: { readonly isSigned: boolean; readonly commonName: string | undefined },
  headers: IncomingHttpHeaders,
): string | undefined {
  if (!peer.isSigned) return undefined;
  if (names.length > 0 && !names.includes(peer.commonName ?? '')) return undefined;
  const said = userHeaders.map((header) => headers[header]).find((value) => value !== undefined);
  const user = Array.isArray(said) ? said[0] : said;
  return user === '' ? undefined : user;
}

/** A list as JSON; what is none says nothing. */
function textsOf(text = '[]'): string[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}
