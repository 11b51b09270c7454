import type { Holder } from '#policies/placement/holders.ts';
import type { Claim } from '#policies/placement/line.ts';
import { decidePlacement } from '#policies/placement/place.ts';

/**
 * A machine in fast motion: requests come, revisions start, serve all that waits at once, and go when the policy
 * says so, after what they have in hand. What control does in `grants.ts`, without anything real.
 */

export const STEP_MS = 250;

export interface Kind {
  readonly bytes: number;
  readonly startMs: number;
  readonly pinned?: boolean;
}

export interface Request {
  readonly revision: number;
  readonly at: number;
  readonly runMs: number;
}

/** How a wait for memory ended, and behind how many it began. */
export interface Wait {
  readonly revision: number;
  readonly ms: number;
  readonly behind: number;
}

export interface Outcome {
  readonly served: number;
  readonly starts: number;
  readonly waits: readonly Wait[];
  /** The most that was held at any time. */
  readonly peak: number;
  /** Whoever went with a request in hand, or before the end of its turn. */
  readonly wronged: readonly string[];
}

interface One extends Kind {
  readonly name: string;
  readonly queue: Request[];
  /** When each that runs ends. */
  running: number[];
  state: 'asleep' | 'starting' | 'ready';
  readyAt: number;
  idleSince: number;
  /** On its way out: when that began, and when it has ended. */
  leaving: { readonly since: number; readonly until: number }[];
  waiting: { since: number; behind: number } | undefined;
}

export function runWorld(
  budget: number,
  kinds: readonly Kind[],
  requests: readonly Request[],
  untilMs: number,
): Outcome {
  const all = kinds.map(makeOne);
  const line = new Set<One>();
  const coming = requests.toSorted((a, b) => a.at - b.at);
  const waits: Wait[] = [];
  const wronged: string[] = [];
  let [served, starts, peak, now] = [0, 0, 0, 0];

  function advance(one: One): void {
    if (one.state === 'starting' && one.readyAt <= now) one.state = 'ready';
    const ended = one.running.filter((until) => until <= now);
    one.running = one.running.filter((until) => until > now);
    served += ended.length;
    if (ended.length > 0) one.idleSince = now;
    one.leaving = one.leaving.filter(({ until }) => until > now);
    if (one.state === 'ready') {
      for (const { runMs } of one.queue.splice(0)) one.running.push(now + runMs);
    }
  }

  function claimOf(one: One): Claim {
    const since = one.waiting?.since ?? now;
    return { revision: one.name, bytesEach: one.bytes, more: 1, since };
  }

  function ask(one: One): void {
    const before = [...line].slice(0, line.has(one) ? [...line].indexOf(one) : line.size);
    const holders = all.flatMap(makeHolder);
    const seen = { budget, used: heldBy(all), asker: claimOf(one), before: before.map(claimOf) };
    const { decision } = decidePlacement({ ...seen, holders }, now);
    for (const { revision } of decision.evict) sendAway(all.find(({ name }) => name === revision)!);
    if (decision.grant === 1) begin(one);
    else if (!one.waiting) {
      one.waiting = { since: now, behind: line.size };
      line.add(one);
    }
  }

  function begin(one: One): void {
    starts++;
    const { since, behind } = one.waiting ?? { since: now, behind: 0 };
    waits.push({ revision: all.indexOf(one), ms: now - since, behind });
    line.delete(one);
    Object.assign(one, { state: 'starting', readyAt: now + one.startMs, waiting: undefined });
  }

  function sendAway(one: One): void {
    const isInUse = one.running.length + one.queue.length > 0;
    if (one.pinned === true || one.state !== 'ready') wronged.push(`${one.name} at ${now}`);
    if (now - one.readyAt < Math.min(one.startMs, isInUse ? Infinity : 5000)) {
      wronged.push(`${one.name} was just started, at ${now}`);
    }
    // What it has in hand ends where it is; it is gone one step later.
    one.leaving.push({ since: now, until: Math.max(now, ...one.running) + STEP_MS });
    served += one.running.length;
    one.running = [];
    one.state = 'asleep';
  }

  function makeHolder(one: One): Holder[] {
    const inUse = one.queue.length + one.running.length > 0 || one.state === 'starting';
    const bytes = one.state === 'asleep' ? 0 : one.bytes;
    const [oldest] = one.leaving;
    if (bytes === 0 && !oldest) return [];
    return [
      {
        revision: one.name,
        bytes,
        state: one.pinned ? 'pinned' : inUse ? 'inUse' : 'idle',
        idleSince: one.idleSince,
        ...(one.state === 'ready' && { readyAt: one.readyAt, startMs: one.startMs }),
        ...(oldest && { leaving: { bytes: one.bytes * one.leaving.length, since: oldest.since } }),
      },
    ];
  }

  for (const one of all) if (one.pinned) begin(one);
  for (now = 0; now <= untilMs; now += STEP_MS) {
    while (coming[0] && coming[0].at <= now) all[coming[0].revision]!.queue.push(coming.shift()!);
    for (const one of all) advance(one);
    for (const one of line) ask(one);
    for (const one of all) {
      if (one.state === 'asleep' && one.queue.length > 0 && !line.has(one)) ask(one);
    }
    peak = Math.max(peak, heldBy(all));
  }
  return { served, starts, waits, peak, wronged };
}

function makeOne(kind: Kind, index: number): One {
  return {
    ...kind,
    name: `r${index}`,
    queue: [],
    running: [],
    state: 'asleep',
    readyAt: 0,
    idleSince: 0,
    leaving: [],
    waiting: undefined,
  };
}

function heldBy(all: readonly One[]): number {
  return all.reduce(
    (sum, { state, bytes, leaving }) => sum + bytes * (Number(state !== 'asleep') + leaving.length),
    0,
  );
}
