import type { ChildProcess } from 'node:child_process';
import { type Channel, isForRuntime } from '#runtime/remote-messages.ts';

/** The channel between a process and one that it has forked, from either side. */
type End = Pick<ChildProcess, 'send' | 'on' | 'once'> | NodeJS.Process;

/** Dropped when the other process has gone. `sent`: it has been handed over, or dropped. */
export function sendTo(end: End, message: object, sent: () => void = () => {}): void {
  end.send?.(message, undefined, undefined, sent);
}

/** The part of it that is for the runtime. */
export function createRuntimeChannel(end: End): Channel {
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
