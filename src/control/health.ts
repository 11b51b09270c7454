import type { Catalog } from './records/catalog.ts';
import type { RuntimeEvent } from '#runtime/runtime.ts';

/**
 * What has been learnt of starting each revision: how long it takes, and whether it fails. In memory; the
 * cold start is also stored when it is far from what was stored before (see `health-changes.ts`).
 */
export interface Health {
  /** The last start failed. For callers of the model, who see no output of its. `until` 0: they are held on. */
  readonly startFailure?: { readonly message: string; readonly until: number };
  /** 0: not measured. */
  readonly coldStartSeconds: number;
}

export interface HealthBook {
  of(revision: string): Health | undefined;
  /** True when what callers are told has changed. */
  becameReady(revision: string, seconds: number, stored: number): boolean;
  failed(event: Extract<RuntimeEvent, { type: 'failed' }>): boolean;
  /** What runs elsewhere answers. True: callers were told that it does not. */
  reached(revision: string): boolean;
  /** It cannot be started at all before something else changes. */
  impossible(revision: string, message: string, until: number): boolean;
  forget(revision: string): void;
}

/** Failed starts in a row after which a proof has failed, and callers are refused instead of held: two can be bad luck. */
export const FAILED_STARTS = 3;
/** Weight of the newest start in the mean. */
const NEWEST = 0.3;
/** A verdict that stays the same is told again only after so long. */
const RENEW_MS = 5000;
/** Callers are told a new estimate when it is off by more than this share. */
const WORTH_TELLING = 0.2;

export function createHealthBook(): HealthBook {
  const book = new Map<string, Health & { told: number }>();

  return {
    of: (revision) => book.get(revision),
    becameReady(revision, seconds, stored) {
      const before = book.get(revision);
      const mean = before?.coldStartSeconds || stored;
      const next = mean === 0 ? seconds : mean + NEWEST * (seconds - mean);
      const told = before?.told ?? stored;
      const tell = isFarFrom(told, next) || before?.startFailure !== undefined;
      book.set(revision, { coldStartSeconds: next, told: tell ? next : told });
      return tell;
    },
    failed({ instance: { revision }, reason, failures, retryAt }) {
      if (failures === 0) return false;
      const before = book.get(revision) ?? { coldStartSeconds: 0, told: 0 };
      const message = describeFailure(reason, [], failures);
      const until = failures < FAILED_STARTS ? 0 : retryAt;
      book.set(revision, { ...before, startFailure: { message, until } });
      return true;
    },
    impossible(revision, message, until) {
      const before = book.get(revision) ?? { coldStartSeconds: 0, told: 0 };
      book.set(revision, { ...before, startFailure: { message, until } });
      return (
        before.startFailure?.message !== message || before.startFailure.until < until - RENEW_MS
      );
    },
    reached(revision) {
      const before = book.get(revision);
      if (before?.startFailure === undefined) return false;
      const { startFailure: _, ...rest } = before;
      book.set(revision, rest);
      return true;
    },
    forget(revision) {
      book.delete(revision);
    },
  };
}

/** The mean of its starts: of those that were seen, or as it was stored; 0: not measured. */
export function coldStartSeconds(
  catalog: Pick<Catalog, 'revision'>,
  health: Pick<HealthBook, 'of'>,
  revision: string,
): number {
  const stored = catalog.revision(revision)?.value.coldStartSeconds ?? 0;
  return health.of(revision)?.coldStartSeconds || stored;
}

export function isFarFrom(told: number, now: number): boolean {
  return Math.abs(now - told) > WORTH_TELLING * told;
}

/** Lines of output that a reason quotes: enough for a stack trace's head. */
const LINES_QUOTED = 10;
const MESSAGE_LIMIT = 4000;

/** The reason in the first line; below it what the instance wrote, for those who may read its log. */
export function describeFailure(
  reason: string,
  lastLines: readonly string[],
  failures: number,
): string {
  const times = failures > 1 ? ` (${failures} failed starts in a row)` : '';
  const lines = lastLines.slice(-LINES_QUOTED);
  const quoted = lines.length === 0 ? '' : `\nIts last lines:\n${lines.join('\n')}`;
  return `${reason}${times}${quoted}`.slice(0, MESSAGE_LIMIT);
}
