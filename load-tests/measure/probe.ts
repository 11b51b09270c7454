import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';

/**
 * Loaded into Rouse before its own code (`--import`, so into each of its threads), with an IPC channel to the
 * benchmark: tells what each thread uses, in microseconds of CPU and bytes of heap. It does nothing until it
 * is asked.
 */

export interface Question {
  readonly id: number;
  /** Collect garbage first: what remains is what is really kept. */
  readonly collect: boolean;
  /** How late this thread's loop was since this was asked last; measured from the first time on. */
  readonly loop?: boolean;
}

export interface Answer {
  readonly id: number;
  readonly thread: 'data plane' | 'control';
  readonly cpuMicros: number;
  /** Of all threads, those of V8 and libuv included. */
  readonly processCpuMicros: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly loop?: { readonly p99Ms: number; readonly maxMs: number };
}

const questions = new BroadcastChannel('rouse-bench-questions');
const answers = new BroadcastChannel('rouse-bench-answers');

const NANOS = 1e6;
const LOOP_RESOLUTION_MS = 1;
const loopDelay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });

function readLoop(): { p99Ms: number; maxMs: number } {
  loopDelay.enable();
  const found = { p99Ms: loopDelay.percentile(99) / NANOS, maxMs: loopDelay.max / NANOS };
  loopDelay.reset();
  return found;
}

function answer({ id, collect, loop }: Question): Answer {
  if (collect) {
    for (let pass = 0; pass < 2; pass++) globalThis.gc?.();
  }
  const own = process.threadCpuUsage();
  const all = process.cpuUsage();
  const { heapUsed, external } = process.memoryUsage();
  return {
    id,
    thread: threadId === 0 ? 'data plane' : 'control',
    cpuMicros: own.user + own.system,
    processCpuMicros: all.user + all.system,
    heapBytes: heapUsed,
    externalBytes: external,
    ...(loop === true && { loop: readLoop() }),
  };
}

function isQuestion(message: unknown): message is Question {
  return typeof message === 'object' && message !== null && 'collect' in message;
}

if (isMainThread) {
  process.on('message', (message) => {
    if (!isQuestion(message)) return;
    process.send?.(answer(message));
    questions.postMessage(message);
  });
  answers.addEventListener('message', (event) => {
    if (event instanceof MessageEvent) process.send?.(event.data);
  });
  process.channel?.unref();
} else {
  questions.addEventListener('message', (event) => {
    if (event instanceof MessageEvent && isQuestion(event.data)) {
      answers.postMessage(answer(event.data));
    }
  });
}
questions.unref();
answers.unref();
