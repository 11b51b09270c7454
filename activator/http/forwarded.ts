import { isIP } from 'node:net';

/**
 * What proxies say of whom a request comes from: `Forwarded` (RFC 7239), and `X-Forwarded-For`, which came
 * before it. Read strictly: undefined means "not understood".
 */

/** One proxy's words, as written and without quotes; undefined where it said nothing. */
export interface ForwardedElement {
  for?: string;
  by?: string;
  host?: string;
  proto?: string;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const QUOTED = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"`;
const PAIR = new RegExp(`(${TOKEN})=(?:(${TOKEN})|(${QUOTED}))`, 'y');
const COMMA = /[\t ]*,[\t ]*/y;
const NAMES = ['for', 'by', 'host', 'proto'] as const;

/**
 * The elements of all `Forwarded` lines, joined by commas; the last one is the nearest proxy's. Empty
 * elements are not understood: nobody knows which proxy said nothing. Parameters of other names are skipped.
 */
export function parseForwarded(value: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element: ForwardedElement = {};
  let at = 0;
  for (;;) {
    PAIR.lastIndex = at;
    const pair = PAIR.exec(value);
    if (!pair || !take(element, pair)) return undefined;
    at = PAIR.lastIndex;
    if (value[at] === ';') {
      at += 1;
      continue;
    }
    elements.push(element);
    if (at === value.length) return elements;
    COMMA.lastIndex = at;
    if (!COMMA.test(value)) return undefined;
    at = COMMA.lastIndex;
    element = {};
  }
}

/** False: the element has the parameter already. */
function take(
  element: ForwardedElement,
  [, key = '', token, quoted = '']: RegExpExecArray,
): boolean {
  const name = NAMES.find((each) => each === key.toLowerCase());
  if (!name) return true;
  if (element[name] !== undefined) return false;
  element[name] = token ?? quoted.slice(1, -1).replace(/\\(.)/g, '$1');
  return true;
}

const NODE =
  /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+|unknown|_[0-9A-Za-z._-]+)(:([0-9]{1,5}|_[0-9A-Za-z._-]+))?$/i;

/** The address that a node of `Forwarded` has; '' when it hides it. */
export function addressOfNode(node: string): string | undefined {
  const name = NODE.exec(node)?.[1];
  if (name === undefined) return undefined;
  if (name.startsWith('_') || name.toLowerCase() === 'unknown') return '';
  const address = name.replace(/^\[|\]$/g, '');
  return isIP(address) === (name.startsWith('[') ? 6 : 4) ? address : undefined;
}

/** The address that an entry of `X-Forwarded-For` has: as a node, or IPv6 without its brackets. */
export function addressOfEntry(entry: string): string | undefined {
  return isIP(entry) === 6 && !entry.includes('%') ? entry : addressOfNode(entry);
}

/** An address as a node of `Forwarded`. */
export function nodeOf(address: string): string {
  return address.includes(':') ? `"[${address}]"` : address;
}
