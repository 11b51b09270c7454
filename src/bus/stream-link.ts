import type { Socket } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import type { Link } from './bus.ts';
import { createFrameReader, encodeFrame, SIGN_OF_LIFE } from './frames.ts';
import type { Typed } from './known.ts';
import { createEnding } from './mailbox.ts';

/** A sign of life goes out this often; a peer that was silent for three of them is dead. */
export const HEARTBEAT_MS = 5000;
const SILENT_BEATS = 3;
/** More than one largest frame, so that a snapshot can be on its way while deltas follow. */
export const BACKLOG_LIMIT = 128 * 2 ** 20;
/** How long what was sent before `close` may take to reach a peer that does not read. */
const FLUSH_MS = 1000;

/**
 * A link over a socket. Invariants:
 * 1. The socket is read only while there is a listener: what comes early waits in the kernel, not in memory.
 * 2. Bytes that are no frames, a silent peer, and a backlog over the limit each end this link and nothing else.
 */
export function createStreamLink<Out, In extends Typed>(
  socket: Socket,
  options: { clock: Clock; backlog: number; isKnown: (message: Typed) => message is In },
): Link<Out, In> {
  const { clock, backlog, isKnown } = options;
  const ending = createEnding();
  let silent = 0;
  let closing = false;
  let beat = clock.after(HEARTBEAT_MS, heartbeat);
  socket.setNoDelay(true);
  // An error is always followed by 'close'; there is nobody to tell who could do more than that.
  socket.on('error', () => {});
  socket.once('close', () => {
    beat.cancel();
    ending.end();
  });

  function write(frame: Buffer): void {
    if (!socket.writable) return;
    socket.write(frame);
    if (socket.writableLength > backlog) socket.destroy();
  }

  function heartbeat(): void {
    // Counted in beats, not by the clock: a thread that was busy for long has not listened, its peer may live.
    if (!socket.isPaused() && silent++ >= SILENT_BEATS) {
      socket.destroy();
      return;
    }
    write(SIGN_OF_LIFE);
    beat = clock.after(HEARTBEAT_MS, heartbeat);
  }

  function listen(listener: (message: In) => void): void {
    const reader = createFrameReader();
    socket.on('data', (chunk: Buffer) => {
      silent = 0;
      for (const message of reader.push(chunk)) {
        if (!closing && isKnown(message)) listener(message);
      }
      if (reader.broken) socket.destroy();
    });
    socket.resume();
  }

  socket.pause();
  return {
    send: (message) => write(encodeFrame(message)),
    onMessage: listen,
    onClose: ending.onEnd,
    close() {
      if (closing) return;
      closing = true;
      socket.end();
      socket.resume();
      beat.cancel();
      beat = clock.after(FLUSH_MS, () => socket.destroy());
    },
  };
}
