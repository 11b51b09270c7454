import type { ChildProcess } from 'node:child_process';

/** The channel between a process and one that it has forked, from either side. */
export type IpcEnd = Pick<ChildProcess, 'send' | 'on' | 'once'> | NodeJS.Process;

/** Dropped when the other process has gone. `sent`: it has been handed over, or dropped. */
export function sendTo(end: IpcEnd, message: object, sent: () => void = () => {}): void {
  end.send?.(message, undefined, undefined, sent);
}
