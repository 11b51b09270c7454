import type { ServerSettings } from '#domain/server.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { INTERRUPTED } from '#lib/exit-status.ts';
import type { Log } from '#lib/log.ts';

/** Of the drain time this much is kept for stopping instances after the last request has been answered. */
const STOP_MS = 5000;

/** How long the parts of a server may take to end, one after the other. */
export interface Graces {
  /** For the requests. */
  readonly drainMs: number;
  /** For the instances, after that. */
  readonly stopMs: number;
}

export function gracesOf({ drain }: Pick<ServerSettings, 'drain'>): Graces {
  return { drainMs: Math.max(0, drain - STOP_MS), stopMs: Math.min(drain, STOP_MS) };
}

export interface Signals {
  isClosing(): boolean;
  /** Signals are the system's again. The server counts as closing, if it did not yet. */
  off(): void;
}

/**
 * What signals do to a server. The first SIGINT or SIGTERM closes it; what has not ended a while after its time is
 * killed. The second ends it at once. SIGHUP has the certificates read again; without any it stays the signal of a
 * terminal that goes away.
 */
export function followSignals(options: {
  settings: Pick<ServerSettings, 'drain' | 'tls'>;
  close: (graces: Graces) => void;
  kill: () => void;
  reload: () => void;
  clock: Clock;
  log: Log;
}): Signals {
  const { settings, close, kill, reload, clock, log } = options;
  const { drain, tls } = settings;
  let closing = false;

  function stop(signal: NodeJS.Signals): void {
    if (closing) {
      kill();
      process.exit(INTERRUPTED);
    }
    closing = true;
    log.info(`${signal}: ending within ${formatDuration(drain)}; once more ends at once.`);
    close(gracesOf(settings));
    clock.after(drain + STOP_MS, () => {
      log.warn('Not all has ended in time; the rest is ended by force.');
      kill();
    });
  }

  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  if (tls.length > 0) process.on('SIGHUP', reload);
  return {
    isClosing: () => closing,
    off() {
      closing = true;
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      process.off('SIGHUP', reload);
    },
  };
}
