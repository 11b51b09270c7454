import { formatDuration, formatSize } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import type { Program } from '../process/group.ts';
import type { ProcessHost } from '../process/process-host.ts';

/** How a short-lived program ended. */
export interface ToolEnd {
  readonly ok: boolean;
  /** "exited with status 1 after 0.4s", "took longer than 60s", … */
  readonly how: string;
  /** Its last lines, oldest first. */
  readonly lines: readonly string[];
  /** What it wrote to the extra descriptor. */
  readonly result: string;
}

export type RunTool = (
  program: Program,
  limits: { readonly timeMs: number; readonly memoryBytes?: number },
) => Promise<ToolEnd>;

const LAST_LINES = 30;

/** Runs programs to their end, within limits: the inspection of a file, the building of an environment. */
export function createTools(options: {
  host: ProcessHost;
  clock: Clock;
  newId: () => string;
}): RunTool {
  const { host, clock, newId } = options;
  return async (program, { timeMs, memoryBytes = Infinity }) => {
    const { promise, resolve } = Promise.withResolvers<ToolEnd>();
    const lines: string[] = [];
    let result = '';
    let verdict: string | undefined;

    function condemn(reason: string): void {
      verdict ??= reason;
      group.signal('SIGKILL');
    }

    const timer = clock.after(timeMs, () => condemn(`took longer than ${formatDuration(timeMs)}`));
    const group = host.start(newId(), program, 'pipe', {
      onLine(_stream, text) {
        if (lines.push(text) > LAST_LINES) lines.shift();
      },
      onExtra(text) {
        result = text;
      },
      onUsage(used) {
        if (used <= memoryBytes) return;
        condemn(`used ${formatSize(used)} of memory, its limit is ${formatSize(memoryBytes)}`);
      },
      onEnd({ how, status }) {
        timer.cancel();
        const ok = verdict === undefined && status === 0;
        resolve({ ok, how: verdict ?? how, lines, result });
      },
    });
    return await promise;
  };
}
