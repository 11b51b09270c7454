import { connect, type Socket } from 'node:net';
import { inParallel } from '../measure/parallel.ts';
import { rssOf } from '../measure/process.ts';
import { pause } from '../measure/until.ts';
import { HOST, type Peer, type PeerName, startRouseFor } from '../peers/peers.ts';

const AT_ONCE = 100;
/** Until what was needed to accept them has been given back, and what was kept of their last request. */
const SETTLE_MS = 5000;
const WARM = 200;
const GET = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;

/** What a connection costs that was used once and waits for the next request, in bytes. */
export interface Idle {
  readonly peer: PeerName;
  readonly connections: number;
  readonly rssBytes: number;
  /** Of both threads, garbage collected; only of Rouse. */
  readonly heapBytes?: number;
}

export async function measureIdle(peer: Peer, connections: number): Promise<Idle> {
  const warm = await openIdle(peer.port, WARM);
  close(warm);
  await pause(SETTLE_MS);
  const before = rssOf(peer.pid);
  const open = await openIdle(peer.port, connections);
  await pause(SETTLE_MS);
  const after = rssOf(peer.pid);
  close(open);
  return { peer: peer.name, connections, rssBytes: (after - before) / connections };
}

/** Of a Rouse of its own that says what its heap is. */
export async function measureIdleHeap(
  folder: string,
  upstream: number,
  connections: number,
): Promise<number> {
  const rouse = await startRouseFor(folder, upstream, true);
  try {
    close(await openIdle(rouse.port, WARM));
    await pause(SETTLE_MS);
    const before = await rouse.sample(true);
    const open = await openIdle(rouse.port, connections);
    await pause(SETTLE_MS);
    const after = await rouse.sample(true);
    close(open);
    return (after.heapBytes - before.heapBytes) / connections;
  } finally {
    await rouse.stop();
  }
}

async function openIdle(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  await inParallel(count, AT_ONCE, async () => {
    sockets.push(await openOne(port));
  });
  return sockets;
}

/** Connected, and one request answered. */
function openOne(port: number): Promise<Socket> {
  return new Promise((done, failed) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(GET));
    socket.once('data', () => done(socket));
    socket.once('error', failed);
    socket.once('close', () => failed(new Error('a connection was closed by the proxy')));
  });
}

function close(sockets: readonly Socket[]): void {
  for (const socket of sockets) socket.destroy();
}
