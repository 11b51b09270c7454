import { createServer, type IncomingMessage, request } from 'node:http';
import { Duplex } from 'node:stream';
import { describeMessage } from './belief.ts';

/** Turns of the loop without a request after which no other will come: where all were found, and where not. */
const TURNS_AFTER_ALL = 3;
const TURNS_BEFORE_ALL = 200;

/** llhttp, as `node:http` uses it when it is strict. */
export interface NodePeer {
  /** The requests that it finds in these bytes, `count` most likely, and `! reason` where it found something else. */
  readRequests(bytes: Buffer, count: number): Promise<string>;
  readResponse(bytes: Buffer, method: string): Promise<string>;
}

export function createNodePeer(): NodePeer {
  const reading = new WeakMap<object, Transcript>();
  const server = createServer(
    { insecureHTTPParser: false, maxHeaderSize: 128 * 1024, keepAliveTimeout: 0 },
    (incoming, response) => {
      const transcript = reading.get(incoming.socket)!;
      collect(incoming, () => {
        transcript.add(describeIncoming(incoming, `${incoming.method} ${incoming.url}`));
        response.end();
      });
    },
  );
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  server.on('clientError', (error, socket) => {
    reading.get(socket)?.add(`! ${error.message}\n`);
    socket.destroy();
  });

  return {
    async readRequests(bytes, count) {
      const pipe = createPipe(bytes, false);
      const transcript = createTranscript();
      reading.set(pipe, transcript);
      server.emit('connection', pipe);
      await transcript.quiet(count);
      pipe.destroy();
      return transcript.text();
    },
    readResponse: (bytes, method) =>
      new Promise((resolve) => {
        const fail = (error: Error): void => resolve(`! ${error.message}\n`);
        const sent = request({
          method,
          createConnection: () => createPipe(bytes, true),
          insecureHTTPParser: false,
          maxHeaderSize: 128 * 1024,
        });
        sent.on('error', fail);
        sent.on('upgrade', (incoming: IncomingMessage) =>
          resolve(describeIncoming(incoming, `${incoming.statusCode}`)),
        );
        sent.on('response', (incoming: IncomingMessage) => {
          incoming.on('error', fail);
          collect(incoming, () => resolve(describeIncoming(incoming, `${incoming.statusCode}`)));
        });
        sent.end();
      }),
  };
}

const bodies = new WeakMap<IncomingMessage, Buffer>();

function collect(incoming: IncomingMessage, onEnd: () => void): void {
  const pieces: Buffer[] = [];
  incoming.on('data', (piece: Buffer) => pieces.push(piece));
  incoming.on('end', () => {
    bodies.set(incoming, Buffer.concat(pieces));
    onEnd();
  });
}

function describeIncoming(incoming: IncomingMessage, line: string): string {
  return describeMessage({
    line,
    host: incoming.method ? (incoming.headers.host ?? '') : '',
    fields: pairsOf(incoming.rawHeaders),
    body: bodies.get(incoming) ?? Buffer.alloc(0),
    trailers: pairsOf(incoming.rawTrailers),
  });
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[i * 2]!, raw[i * 2 + 1]!]);
}

interface Transcript {
  add(text: string): void;
  text(): string;
  /** Resolves when nothing was added for a while: a short one when there are `count` parts. */
  quiet(count: number): Promise<void>;
}

function createTranscript(): Transcript {
  const parts: string[] = [];
  return {
    add: (text) => void parts.push(text),
    text: () => parts.join(''),
    quiet: (count) =>
      new Promise((resolve) => {
        let turns = 0;
        let seen = 0;
        const look = (): void => {
          turns = parts.length === seen ? turns + 1 : 0;
          seen = parts.length;
          if (turns > (seen >= count ? TURNS_AFTER_ALL : TURNS_BEFORE_ALL)) resolve();
          else setImmediate(look);
        };
        look();
      }),
  };
}

/** A connection on which these bytes come; then the end, or nothing. What is written to it is nobody's concern. */
function createPipe(bytes: Buffer, ends: boolean): Duplex {
  let given = false;
  const pipe = new Duplex({
    read() {
      if (given) return;
      given = true;
      pipe.push(bytes);
      if (ends) pipe.push(null);
    },
    write: (_, __, done) => done(),
  });
  const ignore = (): Duplex => pipe;
  return Object.assign(pipe, { setTimeout: ignore, setNoDelay: ignore, setKeepAlive: ignore });
}
