import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { figureOf, type Figure } from '../measure/figures.ts';
import { rssOf } from '../measure/process.ts';
import { pause } from '../measure/until.ts';
import { HOST, type Peer, type PeerName } from '../peers/peers.ts';

const STREAMS = 32;
const WARM_STREAMS = 2;
const READ_BYTES = 1024 * 1024;
const STALL_MS = 3000;
const OTHERS = 200;

/** Callers that read the beginning of 256 MiB each and then nothing more. */
export interface Slow {
  readonly peer: PeerName;
  readonly streams: number;
  /** Resident memory that each of them holds. */
  readonly rssBytes: number;
  /** Meanwhile, of requests one after the other on a connection of its own, in milliseconds. */
  readonly othersMs: Figure;
}

export async function measureSlow(peer: Peer): Promise<Slow> {
  for (const one of await stall(peer.port, WARM_STREAMS)) one.destroy();
  await pause(STALL_MS);
  const before = rssOf(peer.pid);
  const stalled = await stall(peer.port, STREAMS);
  await pause(STALL_MS);
  const after = rssOf(peer.pid);
  const othersMs = figureOf(await callOthers(peer.port));
  for (const one of stalled) one.destroy();
  return {
    peer: peer.name,
    streams: STREAMS,
    rssBytes: Math.max(0, after - before) / STREAMS,
    othersMs,
  };
}

async function stall(port: number, count: number): Promise<Socket[]> {
  return await Promise.all(Array.from({ length: count }, () => stallOne(port)));
}

function stallOne(port: number): Promise<Socket> {
  return new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /bytes HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    let read = 0;
    socket.on('data', (chunk) => {
      read += chunk.length;
      if (read < READ_BYTES) return;
      socket.pause();
      done(socket);
    });
    socket.on('error', failed);
  });
}

async function callOthers(port: number): Promise<number[]> {
  const socket = connect(port, '127.0.0.1');
  const latencies: number[] = [];
  for (let i = 0; i < OTHERS; i++) {
    const sentAt = performance.now();
    socket.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await once(socket, 'data');
    latencies.push(performance.now() - sentAt);
  }
  socket.destroy();
  return latencies;
}
