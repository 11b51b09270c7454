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

/**
 * A signal to a whole process group, as a terminal's Ctrl-C, systemd and `timeout` send it, comes again from a parent
 * that passes its own on (see `rouse.js`). That takes milliseconds; a person's second Ctrl-C comes later than this.
 */
const SAME_SIGNAL_MS = 500;

interface Came {
  readonly signal: NodeJS.Signals;
  readonly at: number;
}

function isSame(first: Came, signal: NodeJS.Signals, now: number): boolean {
  return signal === first.signal && now - first.at < SAME_SIGNAL_MS;
}

/** The first SIGINT or SIGTERM of a server that starts waits for `followSignals`, the second ends it at once. */
export interface HeldSignals {
  /** The signal that came, if one did; from now on signals are the system's again. */
  release(): Came | undefined;
}

export function holdSignals(clock: Clock): HeldSignals {
  let first: Came | undefined;

  function hold(signal: NodeJS.Signals): void {
    const now = clock.now();
    if (first && !isSame(first, signal, now)) process.exit(INTERRUPTED);
    first ??= { signal, at: now };
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
 * killed. The second ends it at once. SIGHUP has the certificates read again; without any it is the signal of a
 * terminal that goes away, which closes it, too, but never ends it at once: whoever ends a group of processes may send
 * both. A signal that was held counts as the first.
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
  let first: Came | undefined;
  let closing = false;

  function onSignal(signal: NodeJS.Signals): void {
    if (!first) {
      first = { signal, at: clock.now() };
      stop(signal);
    } else if (!isSame(first, signal, clock.now())) {
      kill();
      process.exit(INTERRUPTED);
    }
  }

  function onHangUp(): void {
    if (tls.length > 0) reload();
    else if (!first) onSignal('SIGHUP');
  }

  function stop(signal: NodeJS.Signals): void {
    closing = true;
    log.info(`${signal}: ending within ${formatDuration(drain)}; once more ends at once.`);
    close(gracesOf(settings));
    clock.after(drain + STOP_MS, () => {
      log.warn('Not all has ended in time; the rest is ended by force.');
      kill();
      clock.after(LAST_MS, () => process.exit(FORCED));
    });
  }

  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onHangUp);
  // In this order: a signal that nobody listens to in between would be lost.
  first = held.release();
  if (first) stop(first.signal);
  return {
    isClosing: () => closing,
    off() {
      closing = true;
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      process.off('SIGHUP', onHangUp);
    },
  };
}
