import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import type { Clock } from '#lib/clock.ts';
import type { LogLine } from '../../runtime.ts';
import type { Program } from '../process/group.ts';
import type { ProcessHost } from '../process/process-host.ts';

/** How a program ended that was run to its end. */
export interface ToolEnd {
  readonly ok: boolean;
  /** "exited with status 1 after 0.4s", "took longer than 60s", … */
  readonly how: string;
  /** Its last lines, oldest first. */
  readonly lines: readonly string[];
  /** What it wrote to the extra descriptor. */
  readonly result: string;
  /** It was told to end, or what started it has died. */
  readonly isLost: boolean;
  /** The most that was seen, and what it has used; 0: it was not measured. */
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
}

export interface ToolLimits {
  readonly timeMs?: number;
  readonly memoryBytes?: number | undefined;
  /** Kills it. */
  readonly signal?: AbortSignal;
}

export type RunTool = (
  program: Program,
  limits: ToolLimits,
  onLine?: (line: LogLine) => void,
) => Promise<ToolEnd>;

const LAST_LINES = 30;

/** Runs programs to their end, within limits: the inspection of a file, the building of an environment, a task. */
export function createTools(options: {
  host: ProcessHost;
  clock: Clock;
  newId: () => string;
}): RunTool {
  const { host, clock, newId } = options;
  return async (program, { timeMs, memoryBytes = Infinity, signal }, onLine) => {
    const { promise, resolve } = Promise.withResolvers<ToolEnd>();
    const id = newId();
    const lines: string[] = [];
    const used = { memoryBytes: 0, cpuSeconds: 0 };
    let result = '';
    let verdict: string | undefined;

    function condemn(reason: string): void {
      verdict ??= reason;
      group.signal('SIGKILL');
    }

    function onAbort(): void {
      condemn('was ended');
    }

    const timer =
      timeMs === undefined
        ? undefined
        : clock.after(timeMs, () => condemn(`took longer than ${formatDuration(timeMs)}`));
    const group = host.start(id, program, 'pipe', {
      onLine(stream, text) {
        if (lines.push(text) > LAST_LINES) lines.shift();
        onLine?.({ at: clock.now(), instance: id, stream, text });
      },
      onExtra(text) {
        result = text;
      },
      onUsage(bytes, cpuSeconds) {
        used.memoryBytes = Math.max(used.memoryBytes, bytes);
        used.cpuSeconds = cpuSeconds;
        if (bytes <= memoryBytes) return;
        condemn(`used ${formatSize(bytes)} of memory, its limit is ${formatSize(memoryBytes)}`);
      },
      onEnd({ how, status, isLost = false }) {
        timer?.cancel();
        signal?.removeEventListener('abort', onAbort);
        const ok = verdict === undefined && status === 0;
        const isEnded = isLost || (signal?.aborted ?? false);
        resolve({ ok, how: verdict ?? how, lines, result, isLost: isEnded, ...used });
      },
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    return await promise;
  };
}
