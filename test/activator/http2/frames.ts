import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

/** HTTP/2 by hand: frames with whatever content, which no sane client sends. */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A payload of numbers. */
export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [i, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, i * 6);
    payload.writeUInt32BE(value, i * 6 + 2);
  }
  return frame(SETTINGS, 0, 0, payload);
}

export type Field = readonly [name: string, value: string];

/** What a request begins with. */
export function requestFields(path: string, method = 'POST'): Field[] {
  return [
    [':method', method],
    [':scheme', 'http'],
    [':authority', 'h'],
    [':path', path],
  ];
}

/** HPACK: every field as a literal without indexing, names and values as they are. */
export function fieldBlock(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]),
  );
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

export interface RawClient {
  readonly socket: Socket;
  readonly frames: readonly Frame[];
  write(...frames: Buffer[]): void;
  /** Resolves with the first frame, past or future, that fits; undefined: the connection ended before. */
  until(fits: (frame: Frame) => boolean): Promise<Frame | undefined>;
  /** The connection has ended. */
  readonly closed: Promise<void>;
}

/** Tells of each frame that comes, after the first `skipped` bytes. */
export function readFrames(socket: Socket, skipped: number, onFrame: (frame: Frame) => void): void {
  let buffer: Buffer = Buffer.alloc(0);
  let left = skipped;
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk.subarray(left)]);
    left = Math.max(0, left - chunk.length);
    for (;;) {
      const length = buffer.length < 9 ? Infinity : buffer.readUIntBE(0, 3);
      if (buffer.length < 9 + length) break;
      const [type = 0, flags = 0] = buffer.subarray(3, 5);
      const stream = buffer.readUInt32BE(5) & 0x7fffffff;
      const payload = buffer.subarray(9, 9 + length);
      buffer = buffer.subarray(9 + length);
      onFrame({ type, flags, stream, payload });
    }
  });
}

/** Says the preface and empty settings. */
export async function openRaw(port: number): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const frames: Frame[] = [];
  const looks = new Set<() => void>();
  let ended = false;
  socket.on('error', () => {});
  readFrames(socket, 0, (each) => {
    frames.push(each);
    for (const look of looks) look();
  });
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      ended = true;
      for (const look of looks) look();
      resolve();
    });
  });
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]));
  return {
    socket,
    frames,
    closed,
    write: (...given) => void socket.write(Buffer.concat(given)),
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = frames.find(fits);
          if (!found && !ended) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
      }),
  };
}
