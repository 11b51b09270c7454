import type { Inspection } from '#domain/records.ts';
import type { FaultCode, Problem } from '#lib/fault.ts';
import type { RuntimeName } from '#domain/model.ts';
import type {
  Instance,
  LogLine,
  PoolView,
  RuntimeCapabilities,
  RuntimeEvent,
  Task,
  TaskEnd,
  Wanted,
  Workload,
} from './runtime.ts';

/** What the two ends of a remote runtime say to each other: plain data. */

/** One end of a channel between two processes: messages arrive whole, in order, at most once. */
export interface Channel {
  /** Dropped when the other end has gone. */
  send(message: ToRuntime | FromRuntime): void;
  /** One listener. What is no message of a remote runtime is not for it. */
  onMessage(listener: (message: ToRuntime | FromRuntime) => void): void;
  /** The other end has gone. */
  onClose(listener: () => void): void;
}

export type Call =
  | { readonly method: 'inspect' | 'prepare'; readonly workload: Workload }
  | { readonly method: 'want'; readonly workload: Workload; readonly wanted: Wanted }
  | { readonly method: 'logs'; readonly revision: string; readonly limit: number }
  /** It ends with the borrower. */
  | { readonly method: 'run'; readonly task: Task }
  | { readonly method: 'close'; readonly graceMs: number };

export type ToRuntime =
  /** Answered with the list; from then on every event follows. */
  | { readonly type: 'runtime-hello' }
  | { readonly type: 'runtime-call'; readonly id: number; readonly call: Call }
  | { readonly type: 'runtime-release'; readonly instance: string }
  | { readonly type: 'runtime-resume'; readonly instance: string }
  | { readonly type: 'runtime-end-task'; readonly key: string }
  | { readonly type: 'runtime-keep'; readonly runtimes: readonly RuntimeName[] };

/** What a call gives, if anything. */
export interface Answer {
  readonly inspection?: Inspection;
  readonly lines?: readonly LogLine[];
  readonly taskEnd?: TaskEnd;
}

export type FromRuntime =
  | {
      readonly type: 'runtime-instances';
      readonly capabilities: RuntimeCapabilities;
      readonly instances: readonly Instance[];
      /** Absent: there is no pool. */
      readonly pool?: readonly PoolView[];
      /** Programs can be run to their end. */
      readonly runsTasks?: boolean;
    }
  | { readonly type: 'runtime-pool'; readonly views: readonly PoolView[] }
  | { readonly type: 'runtime-event'; readonly event: RuntimeEvent }
  | { readonly type: 'runtime-answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'runtime-fault'; readonly id: number; readonly fault: PlainFault };

/** A Fault as it crosses the border. */
export interface PlainFault {
  readonly code: FaultCode;
  readonly message: string;
  readonly problems: readonly Problem[];
  readonly retryAfter: number | undefined;
}

export function isForRuntime(message: unknown): message is ToRuntime | FromRuntime {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false;
  return typeof message.type === 'string' && message.type.startsWith('runtime-');
}
