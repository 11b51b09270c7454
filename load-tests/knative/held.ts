import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { makeRequest } from '../measure/exchange.ts';
import { inParallel } from '../measure/parallel.ts';
import { pause } from '../measure/until.ts';
import type { ActivatorName, ActivatorPod } from './activators.ts';
import { headersOf } from './objects.ts';

/** Both have looked at all requests by then, and ended what that made. */
const SETTLE_MS = 5000;
const AT_ONCE = 50;

export interface Held {
  readonly activator: ActivatorName;
  readonly requests: number;
  /** Those that were answered, or cut off, though nothing can answer them. */
  readonly refused: number;
  /** Resident, before and with them. */
  readonly beforeBytes: number;
  readonly withBytes: number;
}

/** Many requests, each on a connection of its own, for a service whose pods no node has room for. */
export async function measureHeld(
  { name, host, port, rssBytes }: ActivatorPod,
  service: string,
  requests: number,
): Promise<Held> {
  await pause(SETTLE_MS);
  const beforeBytes = rssBytes();
  const fields = Object.entries(headersOf(service)).map(([key, value]) => `${key}: ${value}\r\n`);
  const request = makeRequest(service, '/', undefined, fields.join(''));
  const sockets: Socket[] = [];
  const refused = new Set<Socket>();
  try {
    await inParallel(requests, AT_ONCE, async () => {
      const socket = connect({ host, port });
      sockets.push(socket);
      for (const end of ['data', 'close']) socket.once(end, () => refused.add(socket));
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(request);
    });
    await pause(SETTLE_MS);
    return {
      activator: name,
      requests,
      refused: refused.size,
      beforeBytes,
      withBytes: rssBytes(),
    };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}
