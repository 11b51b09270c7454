import { SocketAddress } from 'node:net';
import { plainAddress } from './addresses.ts';

/**
 * The header of the PROXY protocol, version 2, as HAProxy defines it
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, section 2.2). What is not understood is
 * refused: whoever sends it would else choose who the caller is.
 */
export type ProxyHeader =
  | { readonly kind: 'more' }
  /** `end`: where it ends. `source`: the caller's address; undefined: the proxy speaks for itself. */
  | { readonly kind: 'header'; readonly end: number; readonly source: string | undefined }
  | { readonly kind: 'refused'; readonly why: string };

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_1 = Buffer.from('PROXY ', 'latin1');
const FIXED = 16;
/** Of what follows the fixed part. A chain of certificates fits; senders use some hundred bytes. */
const MAX_LENGTH = 4096;

const LOCAL = 0;
const PROXY = 1;

/** By family and transport: bytes of the addresses, and of the source address in them. */
const LAYOUTS: ReadonlyMap<number, { addresses: number; source: number }> = new Map([
  [0x00, { addresses: 0, source: 0 }],
  [0x11, { addresses: 12, source: 4 }],
  [0x21, { addresses: 36, source: 16 }],
  [0x31, { addresses: 216, source: 0 }],
]);

const MORE: ProxyHeader = { kind: 'more' };

/** Reads the header at the start of what has come so far. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (!agrees(bytes, SIGNATURE)) {
    return refused(
      bytes.length >= VERSION_1.length && agrees(bytes, VERSION_1)
        ? 'it begins with version 1 of the PROXY protocol; send version 2'
        : 'it does not begin with a PROXY protocol header',
    );
  }
  if (bytes.length < FIXED) return MORE;
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 0x0f;
  const length = bytes.readUInt16BE(14);
  if (version !== 2) return refused(`its PROXY header has version ${version}`);
  if (command !== LOCAL && command !== PROXY) return refused(`its PROXY command is ${command}`);
  if (length > MAX_LENGTH) return refused(`its PROXY header has more than ${MAX_LENGTH} bytes`);
  const end = FIXED + length;
  if (bytes.length < end) return MORE;
  // The block of a LOCAL command has no meaning, whatever its family.
  if (command === LOCAL) return { kind: 'header', end, source: undefined };
  return readBlock(bytes[13]!, bytes.subarray(FIXED, end), end);
}

function readBlock(family: number, block: Buffer, end: number): ProxyHeader {
  const layout = LAYOUTS.get(family);
  if (!layout) return refused(`its PROXY header names no stream: family 0x${family.toString(16)}`);
  if (block.length < layout.addresses) return refused('its PROXY header is too short');
  if (!areVectors(block, layout.addresses)) return refused('its PROXY header is malformed');
  if (layout.source === 0) return { kind: 'header', end, source: undefined };
  return { kind: 'header', end, source: formatAddress(block.subarray(0, layout.source)) };
}

/** What follows the addresses: type, length and value, one after the other. None is needed here. */
function areVectors(block: Buffer, from: number): boolean {
  let at = from;
  while (at + 3 <= block.length) at += 3 + block.readUInt16BE(at + 1);
  return at === block.length;
}

function formatAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  const address = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
  return plainAddress(address.address);
}

function agrees(bytes: Buffer, expected: Buffer): boolean {
  const length = Math.min(bytes.length, expected.length);
  return bytes.compare(expected, 0, length, 0, length) === 0;
}

function refused(why: string): ProxyHeader {
  return { kind: 'refused', why };
}
