/** A header of the PROXY protocol: version and command, family and transport, and what follows them. */
export function makeProxyHeader(command: number, family: number, block: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(block.length);
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  return Buffer.concat([signature, Buffer.from([command, family]), length, block]);
}

/** The header for a TCP connection over IPv4 from this address. */
export function makeProxyHeaderFrom(address: string): Buffer {
  const block = Buffer.from([...address.split('.').map(Number), 127, 0, 0, 1, 0x30, 0x39, 0, 80]);
  return makeProxyHeader(0x21, 0x11, block);
}
