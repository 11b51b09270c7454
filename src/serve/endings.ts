import type { ServerSettings } from '#domain/server.ts';
import { formatDuration } from '#domain/units.ts';
import type { Clock } from '#lib/clock.ts';
import { INTERRUPTED } from '#lib/exit-status.ts';
import type { Log } from '#lib/log.ts';

/** Of the drain time this much is kept for stopping instances after the last request has been answered. */
const STOP_MS = 5000;

/** After that nobody knows what keeps the process. */
const LAST_MS = 1000;
const FORCED = 1;

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

/** The first SIGINT or SIGTERM of a server that starts waits for `followSignals`, the second ends it at once. */
export interface HeldSignals {
  /** The signal that came, if one did; from now on signals are the system's again. */
  release(): NodeJS.Signals | undefined;
}

export function holdSignals(): HeldSignals {
  let first: NodeJS.Signals | undefined;

  function hold(signal: NodeJS.Signals): void {
    if (first) process.exit(INTERRUPTED);
    first = signal;
  }

  process.on('SIGINT', hold);
  process.on('SIGTERM', hold);
  return {
    release() {
      process.off('SIGINT', hold);
      process.off('SIGTERM', hold);
      return first;
    },
  };
}

export interface Signals {
  isClosing(): boolean;
  /** Signals are the system's again. The server counts as closing, if it did not yet. */
  off(): void;
}

/**
 * What signals do to a server. The first SIGINT or SIGTERM closes it; what has not ended a while after its time is
 * killed. The second ends it at once. SIGHUP has the certificates read again; without any it stays the signal of a
 * terminal that goes away. A signal that was held counts as the first.
 */
export function followSignals(options: {
  settings: Pick<ServerSettings, 'drain' | 'tls'>;
  close: (graces: Graces) => void;
  kill: () => void;
  reload: () => void;
  held: HeldSignals;
  clock: Clock;
  log: Log;
}): Signals {
  const { settings, close, kill, reload, held, clock, log } = options;
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
      clock.after(LAST_MS, () => process.exit(FORCED));
    });
  }

  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const first = held.release();
  if (first) stop(first);
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
