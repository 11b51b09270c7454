import { setTimeout as wait } from 'node:timers/promises';
import { INTERRUPTED } from '#lib/exit-status.ts';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';

const FAILED = 1;

/**
 * What SIGTERM and SIGINT do to a program that Services of a cluster lead to. The first: it says that it leaves, serves
 * on for `afterMs`, until nobody in the cluster sends requests here any more, and closes. The second ends it at once.
 */
export function leaveOnSignal(options: {
  leave: () => void;
  afterMs: number;
  close: () => Promise<void>;
  log: Log;
}): void {
  const { leave, afterMs, close, log } = options;
  let isLeaving = false;

  async function end(signal: NodeJS.Signals): Promise<void> {
    leave();
    log.info({ afterMs }, `${signal}: ends when the cluster knows of it; once more ends at once`);
    await wait(afterMs);
    await close();
    log.info('has ended');
    process.exit(0);
  }

  function onSignal(signal: NodeJS.Signals): void {
    if (isLeaving) process.exit(INTERRUPTED);
    isLeaving = true;
    end(signal).catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'did not end in good order');
      process.exit(FAILED);
    });
  }

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
}
