import { type IpcEnd, sendTo } from '#lib/ipc.ts';
import { type Channel, isForRuntime } from '#runtime/remote-messages.ts';

/** The part of a channel between two processes that is for the runtime. */
export function createRuntimeChannel(end: IpcEnd): Channel {
  return {
    send: (message) => sendTo(end, message),
    onMessage(listener) {
      end.on('message', (message: unknown) => {
        if (isForRuntime(message)) listener(message);
      });
    },
    onClose: (listener) => void end.once('disconnect', listener),
  };
}
