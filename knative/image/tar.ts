/** Archives in the format `ustar` of POSIX.1-1988, as far as images need it: folders and files, owned by root. */

const BLOCK = 512;
/** Of the name field; longer ones would need another format. */
const MAX_NAME = 100;
/** Of a size as 11 octal digits. */
const MAX_SIZE = 8 ** 11 - 1;

export interface Entry {
  /** Relative, with a slash at the end for a folder. */
  readonly name: string;
  readonly mode: number;
  /** In bytes; 0 for a folder. */
  readonly size: number;
}

/** What comes before the content. */
export function tarHeader({ name, mode, size }: Entry): Buffer {
  if (Buffer.byteLength(name) > MAX_NAME) throw new Error(`${name} is too long for an archive`);
  if (size > MAX_SIZE) throw new Error(`${name} has ${size} bytes, too many for an archive`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0);
  block.write(octal(mode, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(name.endsWith('/') ? '5' : '0', 156);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, 148);
  return block;
}

/** What comes after a content of this size: zeros up to a whole block. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** What comes after the last entry. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/** A small file as a whole entry. */
export function tarFile(name: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  const header = tarHeader({ name, mode: 0o644, size: bytes.length });
  return Buffer.concat([header, bytes, tarPadding(bytes.length)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
