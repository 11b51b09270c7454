import type { Socket } from 'node:net';
import { type BareInstance, startBareInstance } from '../bare-instance.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  fieldBlock,
  type Frame,
  frame,
  GOAWAY,
  HEADERS,
  readFrames,
  RST_STREAM,
  SETTINGS,
  uint32,
} from './frames.ts';

const PREFACE_BYTES = 24;

/** A request, as its instance sees it: the stream's number on its connection, and what may be done with it. */
export interface Asked {
  readonly stream: number;
  readonly socket: Socket;
  /** With a head and nothing else. */
  answer(): void;
  reset(code: number): void;
  /** What is above `last` was not looked at. */
  goAway(last: number, code: number): void;
}

export interface ResettingInstance extends BareInstance {
  /** Requests whose head has come, so far. */
  readonly asked: readonly Asked[];
}

/** An instance that speaks HTTP/2 frame by frame. `onAsked`: for each head; `at`: how many came before. */
export async function startResettingInstance(
  onAsked: (asked: Asked, at: number) => void,
): Promise<ResettingInstance> {
  const asked: Asked[] = [];
  const onFrame = (socket: Socket, { type, flags, stream }: Frame): void => {
    if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
    if (type !== HEADERS) return;
    const request = makeAsked(socket, stream);
    asked.push(request);
    onAsked(request, asked.length - 1);
  };
  const bare = await startBareInstance((socket) => {
    socket.write(frame(SETTINGS, 0, 0));
    readFrames(socket, PREFACE_BYTES, (each) => onFrame(socket, each));
  });
  return { ...bare, asked };
}

function makeAsked(socket: Socket, stream: number): Asked {
  const fields = fieldBlock([
    [':status', '200'],
    ['content-type', 'application/grpc'],
    ['grpc-status', '0'],
  ]);
  return {
    stream,
    socket,
    answer: () => socket.write(frame(HEADERS, END_HEADERS | END_STREAM, stream, fields)),
    reset: (code) => socket.write(frame(RST_STREAM, 0, stream, uint32(code))),
    goAway: (last, code) => socket.write(frame(GOAWAY, 0, 0, uint32(last, code))),
  };
}
