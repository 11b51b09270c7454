import type { Publisher } from '#bus/publisher.ts';
import type { Clock, Timer } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import type { Drain } from './drain.ts';
import type { Leases } from '../leases/leases.ts';

/**
 * Which data planes are there, and who in control is told of it.
 *
 * 1. Where a supervisor lists their processes, a data plane is there from the list that it is on to the list that
 *    it is not on: a link that broke says nothing of the process behind it. Elsewhere its link is all that is
 *    known of it.
 * 2. A data plane that has a link and is on no list is warned of, once for each link: it gets no slots.
 */
export interface DataPlanes {
  close(): void;
}

type Links = Pick<Publisher, 'onJoined' | 'onGap' | 'onLeft'>;

/** Calls back with the data-plane processes that live, at once and at each change. */
export type OnProcesses = (listener: (alive: readonly string[]) => void) => void;

/** Lists and links come by different ways; one that is only late has come by then. */
const LATE_MS = 1000;

export function followDataPlanes(options: {
  links: Links;
  /** Present: these are processes that a supervisor lists, and share the slots of instances. */
  listed: { readonly onProcesses: OnProcesses; readonly leases: Leases } | undefined;
  drain: Drain;
  /** What it had to say counts no more. */
  onLeft: (dataPlane: string) => void;
  clock: Clock;
  log: Log;
}): DataPlanes {
  const { links, listed, drain, onLeft } = options;
  const arrivals: Arrivals = {
    joined: (dataPlane) => drain.joined(dataPlane),
    left(dataPlane) {
      drain.left(dataPlane);
      onLeft(dataPlane);
    },
  };
  if (listed) return followLists(links, listed, arrivals, options);
  links.onJoined(arrivals.joined);
  links.onLeft(arrivals.left);
  return { close: () => {} };
}

interface Arrivals {
  readonly joined: (dataPlane: string) => void;
  readonly left: (dataPlane: string) => void;
}

function followLists(
  links: Links,
  { onProcesses, leases }: { readonly onProcesses: OnProcesses; readonly leases: Leases },
  arrivals: Arrivals,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): DataPlanes {
  const strangers = new Map<string, Timer>();
  let present = new Set<string>();

  function forget(dataPlane: string): void {
    strangers.get(dataPlane)?.cancel();
    strangers.delete(dataPlane);
  }

  function warnIfUnlisted(dataPlane: string): void {
    forget(dataPlane);
    if (present.has(dataPlane)) return;
    const warn = (): void =>
      log.warn({ dataPlane }, 'a data plane that Rouse did not start: it gets no slots');
    strangers.set(dataPlane, clock.after(LATE_MS, warn));
  }

  onProcesses((alive) => {
    const before = present;
    present = new Set(alive);
    for (const id of before) if (!present.has(id)) arrivals.left(id);
    for (const id of present) if (!before.has(id)) arrivals.joined(id);
    for (const id of alive) forget(id);
    leases.onProcesses(alive);
  });
  links.onJoined((dataPlane, held) => {
    warnIfUnlisted(dataPlane);
    leases.joined(dataPlane, held);
  });
  links.onGap((dataPlane) => leases.resend(dataPlane));
  links.onLeft((dataPlane) => {
    forget(dataPlane);
    leases.left(dataPlane);
  });
  return {
    close() {
      for (const timer of strangers.values()) timer.cancel();
    },
  };
}
