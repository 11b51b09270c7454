import type { MessagePort } from 'node:worker_threads';
import type { BusClient, BusHost, Link } from './bus.ts';
import { isDownward, isUpward, type Typed } from './known.ts';
import type { Downward, Upward } from './messages.ts';
import { createEnding } from './mailbox.ts';

/**
 * The bus between two threads of one process: a MessageChannel, whose ports go one to each. They live and die
 * together, so there is one link, no reconnect, no heartbeat, and no limit on what waits: a reader that has
 * stopped for ever is a process that has.
 */
export function createLocalHost(port: MessagePort): BusHost {
  return createEnd<Downward, Upward>(port, isUpward);
}

/** The data plane's end of the channel. */
export function createLocalClient(port: MessagePort): BusClient {
  return createEnd<Upward, Downward>(port, isDownward);
}

function createEnd<Out, In extends Typed>(
  port: MessagePort,
  isKnown: (message: Typed) => message is In,
) {
  const link = createLink<Out, In>(port, isKnown);
  return {
    onLink: (listener: (link: Link<Out, In>) => void) => listener(link),
    close: async () => link.close(),
  };
}

/** The port itself keeps what arrives before its first listener. */
function createLink<Out, In extends Typed>(
  port: MessagePort,
  isKnown: (message: Typed) => message is In,
): Link<Out, In> {
  const ending = createEnding();
  port.once('close', ending.end);
  return {
    send: (message) => port.postMessage(message),
    onMessage(listener) {
      port.on('message', (message: Typed) => {
        if (isKnown(message)) listener(message);
      });
    },
    onClose: ending.onEnd,
    close: () => port.close(),
  };
}
