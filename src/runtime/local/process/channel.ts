import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '#lib/clock.ts';
import { OUTPUT_GRACE_MS } from './group.ts';

/** Room for the inspection of a model with thousands of labels; whoever writes more has misunderstood. */
const EXTRA_CHARS = 4 * 1024 * 1024;

/**
 * Rouse's own end of the pipe of a program that gets its work later: neither the work nor what is said of it waits for
 * the spawner to be woken.
 */
export interface Channel {
  /** What it says counts from now. */
  assign(text: string): void;
  /** The program has ended: `onDone` when all that it said was told. */
  finish(onDone: () => void): void;
  /** Nothing is told any more; the program reads the end of its input. */
  close(): void;
}

/** `onText`: what it said so far, each time more comes. */
export function createChannel(
  socket: Socket,
  clock: Clock,
  onText: (text: string) => void,
): Channel {
  let said = '';
  readPipe(socket, (chunk) => {
    said += chunk;
    onText(said);
  });
  return {
    assign(text) {
      said = '';
      socket.write(text);
    },
    finish(onDone) {
      if (socket.closed) return onDone();
      const timer = clock.after(OUTPUT_GRACE_MS, () => socket.destroy());
      socket.once('close', () => {
        timer.cancel();
        onDone();
      });
    },
    close: () => void socket.destroy(),
  };
}

/** Reads what is written to it, up to a limit: then it is closed. */
export function readPipe(pipe: Duplex, onChunk: (chunk: string) => void): void {
  let chars = 0;
  pipe.setEncoding('utf8');
  pipe.on('error', () => {});
  pipe.on('data', (chunk: string) => {
    chars += chunk.length;
    if (chars > EXTRA_CHARS) pipe.destroy();
    else onChunk(chunk);
  });
}
