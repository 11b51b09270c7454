import type { LogLine } from '../../runtime.ts';
import type { GroupEnd, Program } from './group.ts';
import type { Leader } from './sweep.ts';

/** Between the runtime and its spawner, in this order on one channel. `id` is a group of this spawner. */
export type ToSpawner =
  /** With `socket` the message carries a listening socket; a number is the port of one that the spawner has. */
  | {
      readonly type: 'start';
      readonly id: number;
      readonly program: Program;
      readonly extra: 'none' | 'pipe' | 'channel' | 'socket' | number;
    }
  | { readonly type: 'signal'; readonly id: number; readonly signal: NodeJS.Signals }
  /** It was given its work: how long it runs counts from now. */
  | { readonly type: 'assigned'; readonly id: number }
  /** This listening socket is not wanted. */
  | { readonly type: 'discard'; readonly port: number }
  /** To be answered by the same. */
  | Confirm;

export type FromSpawner = Confirm | FromPrefork | FromGroup;

/** A socket that listens on this port of 127.0.0.1 is there for a program, or has gone. */
export interface FromPrefork {
  readonly type: 'bound' | 'unbound';
  readonly port: number;
}

/** All that was ordered, from the first to this one, is done. */
interface Confirm {
  readonly type: 'confirm';
  readonly upTo: number;
}

export type FromGroup = { readonly id: number } &
  /** With a channel the message carries Rouse's end of it. */
  (
    | { readonly type: 'started'; readonly leader: Leader }
    | { readonly type: 'line'; readonly stream: LogLine['stream']; readonly text: string }
    | { readonly type: 'extra'; readonly chunk: string }
    | { readonly type: 'exit' }
    | { readonly type: 'end'; readonly end: GroupEnd }
  );
