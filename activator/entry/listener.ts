import { createServer, type Socket } from 'node:net';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import type { CertificateFiles } from '#domain/server.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createTrust, plainAddress, type Trust } from './addresses.ts';
import { createEntering, type EntryRefusal } from './entering.ts';
import { type Found, readFirst } from './first-bytes.ts';
import { followFiles } from './follow-files.ts';
import { parseProxyHeader, type ProxyHeader } from './proxy-header.ts';
import { type ContextFor, createHandshakes, type Handshakes } from './tls.ts';
import { ASK_IF_THERE } from '../sockets/connect.ts';
import { listen } from '../sockets/listen.ts';

/** Who is at the other end of a connection. */
export interface Peer {
  /** Its IP address; behind a proxy that speaks the PROXY protocol, the one that this names. */
  readonly address: string;
  /** The name of the port that it came to; '': the only one, or the first. */
  readonly entry: string;
  /** It is reached by TLS. */
  readonly secure: boolean;
  /** Set: it is a proxy that is believed, and so are the others that this finds. */
  readonly trust: Trust | undefined;
}

/** How connections come in. */
export interface EntrySettings {
  /** None: plain HTTP. */
  readonly tls: readonly CertificateFiles[];
  /** TLS with certificates that somebody else keeps; then there are no files. */
  readonly contextFor?: ContextFor;
  /** Addresses and networks. */
  readonly trustedProxies: readonly string[];
  readonly proxyProtocol: boolean;
}

export interface ListenerOptions extends EntrySettings {
  /** Of the port, where there are several. */
  readonly name: string;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Other processes listen there, too: the system shares out what comes. */
  readonly sharePort?: boolean;
  /** Open connections, at most. More are closed when they come. */
  readonly connections: number;
  readonly clock: Clock;
  readonly log: Log;
  /** A connection whose next byte is a request's. */
  readonly onConnection: (socket: Socket, peer: Peer) => void;
  /** A connection ended before that. */
  readonly onRefused: (reason: EntryRefusal) => void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Reads the certificates again; what is wrong with them is logged, and the old ones stay. */
  reload(): void;
  /** Accepts nothing new; resolves when the last connection has ended. */
  close(): Promise<void>;
  /** Ends connections that are still on their way in. */
  cut(): void;
}

/** A handshake of TLS begins with this byte. */
const HANDSHAKE = 0x16;
const ADVICE = 'This port speaks TLS: call it by https://.\n';
const PLAIN_ON_TLS =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n' +
  `Content-Length: ${ADVICE.length}\r\n\r\n${ADVICE}`;
/** More than the system's queue of accepted connections has, by default 511: others still come. */
const MAX_QUEUED = 1024;
/** What is set up wrongly is told of in the log, and not for each connection. */
const SAME_REFUSAL_MS = 60_000;

/**
 * What happens between the accepting of a connection and its first request: the PROXY header, then TLS. With
 * neither, nothing of a connection is read or changed here.
 */
export async function createListener(options: ListenerOptions): Promise<Listener> {
  const { clock, log, onConnection, proxyProtocol } = options;
  const isTrusted = createTrust(options.trustedProxies);
  const tell = tellOnce(options);
  const entering = createEntering(clock, tell);
  const { contextFor, tls } = options;
  const handshakes = contextFor || tls.length > 0 ? createHandshakes(contextFor ?? tls) : undefined;

  let accepted = 0;

  function peerOf(address: string): Peer {
    const trust = isTrusted(address) ? isTrusted : undefined;
    return { address, entry: options.name, secure: handshakes !== undefined, trust };
  }

  function accept(socket: Socket): void {
    accepted += 1;
    const address = plainAddress(socket.remoteAddress ?? 'unknown');
    if (!proxyProtocol && !handshakes) {
      onConnection(socket, peerOf(address));
      return;
    }
    entering.add(socket);
    if (!proxyProtocol) enter(socket, address);
    else if (isTrusted(address) || isOfThisMachine(socket)) readProxyHeader(socket, address);
    else refuseUntrusted(socket);
  }

  /** Takes what the system has accepted ahead of us, which would be reset. Each turn of the loop takes some. */
  async function takeQueue(): Promise<void> {
    let before = -1;
    for (let turn = 0; turn < MAX_QUEUED && before < accepted; turn += 1) {
      before = accepted;
      await turnOfLoop();
      await turnOfLoop();
    }
  }

  function readProxyHeader(socket: Socket, address: string): void {
    readFirst(socket, lookForHeader, (header) => {
      if (header.kind !== 'header') entering.refuse(socket, 'proxy_header', header.why);
      else if (header.source === undefined || isTrusted(address)) {
        enter(socket, header.source ?? address);
      } else refuseUntrusted(socket);
    });
  }

  function refuseUntrusted(socket: Socket): void {
    entering.refuse(socket, 'proxy_untrusted', 'it is no trusted proxy');
  }

  function enter(socket: Socket, address: string): void {
    if (handshakes) shakeHands(socket, handshakes, peerOf(address));
    else {
      entering.admit(socket);
      onConnection(socket, peerOf(address));
    }
  }

  function shakeHands(socket: Socket, tls: Handshakes, peer: Peer): void {
    readFirst(socket, lookAtFirst, (first) => {
      if (first === HANDSHAKE) {
        const onSecure = (secure: TLSSocket): void => {
          entering.admit(socket);
          onConnection(secure, peer);
        };
        tls.start(socket, onSecure, () => entering.refuse(socket, 'tls'));
        return;
      }
      socket.end(PLAIN_ON_TLS);
      entering.refuse(socket, 'plain_http');
    });
  }

  function reload(): void {
    try {
      handshakes?.reload();
      log.info('The certificates were read again.');
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'The certificates stay as they were.');
    }
  }

  const server = createServer({ allowHalfOpen: true, ...ASK_IF_THERE }, accept);
  server.maxConnections = options.connections;
  const full = `${options.connections} are open, as many as may (limits.connections)`;
  server.on('drop', (dropped) => tell('full', dropped?.remoteAddress ?? 'unknown', full));
  const { host, port, sharePort = false } = options;
  await listen(server, { host, port, sharePort });
  const files = options.tls.flatMap(({ certificate, key }) => [certificate, key]);
  const following = followFiles(files, clock, reload);
  const address = server.address();
  return {
    host,
    port: typeof address === 'object' && address ? address.port : port,
    reload,
    cut: () => entering.cut(),
    async close() {
      following.close();
      await takeQueue();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** Rouse itself calls so, and speaks for nobody else: it needs no trust for that. */
function isOfThisMachine({ remoteAddress, localAddress }: Socket): boolean {
  return remoteAddress !== undefined && remoteAddress === localAddress;
}

function lookForHeader(bytes: Buffer): Found<Exclude<ProxyHeader, { kind: 'more' }>> {
  const header = parseProxyHeader(bytes);
  if (header.kind === 'more') return undefined;
  return { value: header, end: header.kind === 'header' ? header.end : bytes.length };
}

function lookAtFirst(bytes: Buffer): Found<number | undefined> {
  return { value: bytes[0], end: 0 };
}

/** Counts all, and logs now and then what somebody has to set right: a proxy, or a limit. */
function tellOnce({ clock, log, onRefused }: ListenerOptions) {
  const quietUntil = new Map<EntryRefusal, number>();
  return (reason: EntryRefusal, address: string, why: string): void => {
    onRefused(reason);
    const now = clock.now();
    if (why === '' || now < (quietUntil.get(reason) ?? 0)) return;
    quietUntil.set(reason, now + SAME_REFUSAL_MS);
    log.warn(
      { address },
      `A connection was closed: ${why}. Others within a minute are not logged.`,
    );
  };
}
