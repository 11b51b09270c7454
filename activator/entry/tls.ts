import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
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

/** @param files at least one; the first is for names that no other is for. */
export function createHandshakes(files: readonly CertificateFiles[]): Handshakes {
  const started = new Map<string, Started>();
  let certificates = files.map(readCertificate);
  let choose: Choose = makeChoice(certificates);

  const server = createServer({
    ...optionsOf(certificates),
    ALPNProtocols: PROTOCOLS,
    SNICallback: (name, done) => done(null, (choose(name) ?? certificates[0])?.context),
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
      const fresh = files.map(readCertificate);
      certificates = fresh;
      choose = makeChoice(fresh);
      setDefault(server, fresh);
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
