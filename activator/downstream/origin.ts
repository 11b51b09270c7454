import type { Caller } from '#domain/records.ts';
import { networkOf, plainAddress, type Trust } from '../entry/addresses.ts';
import {
  addressOfEntry,
  addressOfNode,
  type ForwardedElement,
  nodeOf,
  parseForwarded,
} from '../http/forwarded.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Peer } from '../entry/listener.ts';
import type { Refusal } from '../refusal.ts';
import { BAD_FORWARDED, FORWARDED_DISAGREE } from '../exchange/refusals.ts';

/** More proxies than stand behind each other anywhere; a longer chain is a loop. */
const MAX_PROXIES = 32;
const PROTOCOLS = /^(https?|wss?)([\t ]*,[\t ]*(https?|wss?))*$/i;
const HOST = String.raw`(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:[0-9]{0,5})?`;
const HOSTS = new RegExp(String.raw`^${HOST}([\t ]*,[\t ]*${HOST})*$`);

/**
 * Who asks, and what the instance is told of that. One per connection: from a stranger it is the connection's
 * peer, for all its requests; a trusted proxy says it anew with each.
 *
 * A proxy's chain is read from its right end, which the nearest one wrote: the caller is the first address
 * that is no trusted proxy's. What stands left of it may be anybody's invention; it is passed on, not believed.
 */
export class Origin {
  caller: Caller;
  readonly peer: Peer;
  /** Of the last request, and its host: callers send the same again and again. */
  private lines = '';
  private host: string | undefined;

  constructor(peer: Peer) {
    this.peer = peer;
    this.caller = { id: networkOf(peer.address), kind: 'address' };
  }

  /** Reads what a trusted proxy says. Undefined: understood, or not asked. */
  read(head: RequestHead): Refusal | undefined {
    const { trust } = this.peer;
    return trust && this.believe(head, trust);
  }

  /** Field lines for the instance: who asks, by which protocol, for which host. */
  fieldsFor({ host }: RequestHead): string {
    const { peer } = this;
    if (this.host === host || peer.trust) return this.lines;
    this.host = host;
    this.lines = `X-Forwarded-For: ${peer.address}\r\nX-Forwarded-Proto: ${protocolOf(peer)}\r\n`;
    if (host !== '') this.lines += `X-Forwarded-Host: ${host}\r\n`;
    return this.lines;
  }

  /** It is made anew for the next request. */
  forget(): void {
    this.host = undefined;
    this.lines = '';
  }

  private believe({ fields, host }: RequestHead, trust: Trust): Refusal | undefined {
    const { address } = this.peer;
    const list = fields.findAll('x-forwarded-for');
    const forwarded = fields.findAll('forwarded');
    const elements = forwarded === '' ? [] : parseForwarded(forwarded);
    const byList = list === '' ? undefined : findCaller(entriesOf(list), address, trust);
    const nodes = elements?.map((element) => addressOfNode(element.for ?? 'unknown'));
    const byElements = nodes && nodes.length > 0 ? findCaller(nodes, address, trust) : undefined;
    if (!elements || byList === BAD || byElements === BAD) return BAD_FORWARDED;
    if (byList && byElements && byList.address !== byElements.address) return FORWARDED_DISAGREE;

    const from: ForwardedElement = byElements ? (elements[byElements.at] ?? {}) : {};
    const protocol = fields.findAll('x-forwarded-proto') || from.proto || protocolOf(this.peer);
    const forHost = fields.findAll('x-forwarded-host') || from.host || host;
    if (!PROTOCOLS.test(protocol) || (forHost !== '' && !HOSTS.test(forHost))) return BAD_FORWARDED;

    this.caller = { id: networkOf((byList ?? byElements)?.address ?? address), kind: 'address' };
    const before = list || nodes?.slice(byElements?.at).filter(Boolean).join(', ') || '';
    const hop = `for=${nodeOf(address)}${host === '' ? '' : `;host="${host}"`};proto=${protocolOf(this.peer)}`;
    this.lines =
      `X-Forwarded-For: ${before === '' ? '' : `${before}, `}${address}\r\n` +
      `X-Forwarded-Proto: ${protocol}\r\n` +
      (forHost === '' ? '' : `X-Forwarded-Host: ${forHost}\r\n`) +
      (forwarded === '' ? '' : `Forwarded: ${forwarded}, ${hop}\r\n`);
    return undefined;
  }
}

const BAD = 'bad';

/** `at`: of the entry that tells of the caller. */
type FoundCaller = { readonly address: string; readonly at: number } | typeof BAD;

/**
 * @param chain addresses as the proxies wrote them, the nearest one's last; '': hidden; undefined: not understood
 * @param peer the nearest proxy
 */
function findCaller(
  chain: readonly (string | undefined)[],
  peer: string,
  trust: Trust,
): FoundCaller {
  let nearest = peer;
  for (let at = chain.length - 1; at >= 0; at -= 1) {
    const address = chain[at];
    if (address === undefined || chain.length - at > MAX_PROXIES) return BAD;
    // Who hides is known by the proxy that it came to.
    if (address === '') return { address: nearest, at };
    nearest = plainAddress(address);
    if (!trust(nearest)) return { address: nearest, at };
  }
  return { address: nearest, at: 0 };
}

function entriesOf(list: string): (string | undefined)[] {
  return list.split(',').map((entry) => addressOfEntry(entry.trim()));
}

function protocolOf({ secure }: Peer): string {
  return secure ? 'https' : 'http';
}
