import type { BusClient, BusHost, Link } from './bus.ts';
import { isDownward, isUpward, type Typed } from './known.ts';
import { createEnding, createMailbox } from './mailbox.ts';
import type { Downward, Upward } from './messages.ts';

/**
 * The bus between two parts of one thread. What is sent down has been taken in when `send` returns, so that whoever
 * sends knows what the data plane knows. What is sent up is delivered a little later: it is sent in the middle of work
 * that an answer must not come into.
 */
export function createDirectBus(): { readonly host: BusHost; readonly client: BusClient } {
  let closed = false;
  const endings = [createEnding(), createEnding()] as const;

  function close(): void {
    if (closed) return;
    closed = true;
    // After what was sent before.
    queueMicrotask(() => {
      for (const ending of endings) ending.end();
    });
  }

  function createPipe<T extends Typed>(
    isKnown: (message: Typed) => message is T,
    schedule: (deliver: () => void) => void,
  ) {
    const mailbox = createMailbox<T>();
    const send = (message: T): void => {
      if (!closed && isKnown(message)) schedule(() => mailbox.deliver(message));
    };
    return { send, onMessage: mailbox.listen };
  }

  const down = createPipe<Downward>(isDownward, (deliver) => deliver());
  const up = createPipe<Upward>(isUpward, queueMicrotask);
  const above: Link<Downward, Upward> = {
    send: down.send,
    onMessage: up.onMessage,
    onClose: endings[0].onEnd,
    close,
  };
  const below: Link<Upward, Downward> = {
    send: up.send,
    onMessage: down.onMessage,
    onClose: endings[1].onEnd,
    close,
  };
  const end = async (): Promise<void> => close();
  return {
    host: { onLink: (listener) => listener(above), close: end },
    client: { onLink: (listener) => listener(below), close: end },
  };
}
