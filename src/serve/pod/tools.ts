import { systemClock } from '#lib/clock.ts';
import { NO_GROUP } from '#runtime/local/process/group.ts';
import { spawnGroup } from '#runtime/local/process/spawn-group.ts';
import { createTools, type RunTool } from '#runtime/local/prepare/tool.ts';

/** Runs programs to their end in a pod, which ends whatever of them is left when it ends itself. */
export function createPodTools(): RunTool {
  let count = 0;
  return createTools({
    clock: systemClock,
    newId: () => String(count++),
    host: {
      start(_, program, extra, events) {
        if (extra !== 'pipe') return NO_GROUP;
        let said = '';
        const group = spawnGroup(program, extra, systemClock, {
          onLine: (stream, text) => events.onLine(stream, text),
          onExtra(chunk) {
            said += chunk;
            events.onExtra?.(said);
          },
          onExit: () => events.onExit?.(),
          onEnd: (end) => events.onEnd(end),
        });
        return { ...group, assign: () => {} };
      },
      async close() {},
    },
  });
}
