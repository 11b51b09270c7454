import { once } from 'node:events';
import { connect } from 'node:net';

/**
 * Many callers in a process of their own, since a process has only so many sockets. Each request comes by a
 * connection of its own, when the one before it in its line has been read: connections that are readable at once are
 * read in any order. What is sent after it and answered tells that it was.
 */
export interface Call {
  /** Those with the same name come one after the other. */
  readonly line: string;
  /** An address of this machine: whom the request belongs to. */
  readonly from: string;
  readonly path: string;
  readonly fields: string;
}
export interface Calls {
  readonly port: number;
  readonly calls: readonly Call[];
}
/** How many answers began with which status. */
export interface CallersMessage {
  readonly statuses: Readonly<Record<string, number>>;
}

/** Connections that are opened at a time: fewer than a listener keeps waiting. */
const AT_ONCE = 100;

process.on('message', ({ port, calls }: Calls) => {
  const statuses: Record<string, number> = {};
  let answered = 0;

  function open(call: Call): Promise<() => Promise<void>> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: call.from });
      let text = '';
      socket.on('error', reject);
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('close', () => {
        const status = text.slice(9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        answered += 1;
        if (answered === calls.length) process.send?.({ statuses } satisfies CallersMessage);
      });
      const head = `GET ${call.path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n${call.fields}\r\n`;
      socket.on('connect', () =>
        resolve(() => new Promise((sent) => socket.write(head, () => sent()))),
      );
    });
  }

  async function run(): Promise<void> {
    const probe = connect({ port, host: '127.0.0.1' });
    const ask = async (): Promise<void> => {
      probe.write('GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n');
      await once(probe, 'data');
    };
    const written = new Set<string>();
    for (let i = 0; i < calls.length; i += AT_ONCE) {
      const batch = calls.slice(i, i + AT_ONCE);
      for (const [at, write] of (await Promise.all(batch.map(open))).entries()) {
        const { line } = batch[at]!;
        if (written.has(line)) {
          await ask();
          written.clear();
        }
        written.add(line);
        await write();
      }
    }
    probe.destroy();
  }
  void run();
});
