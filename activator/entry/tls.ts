import type { Socket } from 'node:net';
import { createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';
import type { CertificateFiles } from '#domain/server.ts';
import {
  type Certificate,
  type Choose,
  makeChoice,
  MIN_VERSION,
  readCertificate,
} from './certificates.ts';

/** In our order of liking. */
const PROTOCOLS = ['h2', 'http/1.1', 'http/1.0'];

/** The handshakes of one port, with certificates that can be read again while it runs. */
export interface Handshakes {
  /**
   * Begins a handshake; what has been read of the connection was put back. Calls one of the two, or none
   * when the connection ends before.
   */
  start(socket: Socket, onSecure: (secure: TLSSocket) => void, onFailed: () => void): void;
  /** Reads the files again. Throws a Fault, and then everything is as before. */
  reload(): void;
}

interface Started {
  readonly socket: Socket;
  readonly onSecure: (secure: TLSSocket) => void;
  readonly onFailed: () => void;
}

/** The certificate for a name that a caller asks for; undefined: there is none, and the handshake fails. */
export type ContextFor = (servername: string) => SecureContext | undefined;

/** @param files the first is for names that no other is for. Or certificates that somebody else keeps. */
export function createHandshakes(files: readonly CertificateFiles[] | ContextFor): Handshakes {
  const started = new Map<string, Started>();
  const kept = typeof files === 'function' ? undefined : keepFiles(files);

  const server = createServer({
    ...(kept ? optionsOf(kept.all) : { minVersion: MIN_VERSION }),
    ALPNProtocols: PROTOCOLS,
    SNICallback: (name, done) =>
      done(null, typeof files === 'function' ? files(name) : kept?.contextFor(name)),
  });
  server.on('secureConnection', (secure) => {
    const found = started.get(pathOf(secure));
    if (!found) {
      secure.destroy();
      return;
    }
    secure.allowHalfOpen = true;
    found.onSecure(resettable(secure, found.socket));
  });
  server.on('tlsClientError', (_error, secure) => started.get(pathOf(secure))?.onFailed());

  return {
    start(socket, onSecure, onFailed) {
      const path = pathOf(socket);
      started.set(path, { socket, onSecure, onFailed });
      socket.once('close', () => {
        // The next connection may have the same port, and be here before the end of this one is heard.
        if (started.get(path)?.socket === socket) started.delete(path);
      });
      // Whoever closes half of it in the middle of a handshake has left.
      socket.allowHalfOpen = false;
      server.emit('connection', socket);
    },
    reload() {
      if (!kept) return;
      kept.read();
      setDefault(server, kept.all);
    },
  };
}

function keepFiles(files: readonly CertificateFiles[]) {
  let all = files.map(readCertificate);
  let choose: Choose = makeChoice(all);
  return {
    get all() {
      return all;
    },
    contextFor: (name: string) => (choose(name) ?? all[0])?.context,
    read(): void {
      const fresh = files.map(readCertificate);
      all = fresh;
      choose = makeChoice(fresh);
    },
  };
}

/** For callers that name no host. */
function setDefault(server: Server, certificates: readonly Certificate[]): void {
  server.setSecureContext(optionsOf(certificates));
}

function optionsOf([first]: readonly Certificate[]) {
  return { cert: first?.chain, key: first?.key, minVersion: MIN_VERSION } as const;
}

/** What tells a connection from all others: the server does not say which one it has made secure. */
function pathOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Only the connection below can be reset, which tells the caller that a response was cut off. */
function resettable(secure: TLSSocket, below: Socket): TLSSocket {
  secure.resetAndDestroy = () => {
    below.resetAndDestroy();
    return secure;
  };
  return secure;
}
