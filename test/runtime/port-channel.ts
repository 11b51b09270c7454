import type { MessagePort } from 'node:worker_threads';
import { type Channel, isForRuntime } from '#runtime/remote-messages.ts';

/** A channel over a MessagePort: what crosses it is copied, and arrives later. */
export function createPortChannel(port: MessagePort): Channel {
  return {
    send: (message) => port.postMessage(message),
    onMessage(listener) {
      port.on('message', (message) => {
        if (isForRuntime(message)) listener(message);
      });
    },
    onClose: (listener) => port.once('close', listener),
  };
}
