/**
 * An instance as a queue sees it: what runs at once shares its processor and its memory.
 *
 * All requests of an instance are slowed by the same factor, so one virtual time, which passes more slowly the more
 * there is to do, says when each is done.
 */

export interface Work {
  /** When it came, ms. */
  readonly at: number;
  /** Alone on an instance it takes so long, ms. */
  readonly alone: number;
  /** The part of that in which it computes. */
  readonly computing: number;
}

export interface Replica {
  readonly askedAt: number;
  readonly readyAt: number;
  isDraining: boolean;
  readonly running: { readonly work: Work; readonly until: number }[];
  /** Virtual time, and when it was that. */
  virtual: number;
  at: number;
  /** When the next of its requests is done. */
  nextAt: number;
  /** Processor time that it has used, ms. */
  computed: number;
}

/** Cores of an instance. */
export const CORES = 1;
/** Each further request makes all a little slower: caches, switching. */
const CONTENTION = 0.01;
/** Memory of an instance and of each of its requests; beyond the limit it is slow. */
const MEMORY = { base: 120, each: 12, limit: 256 };
const MEMORY_PENALTY = 4;

export function makeReplica(now: number, startMs: number): Replica {
  return {
    askedAt: now,
    readyAt: now + startMs,
    isDraining: false,
    running: [],
    virtual: 0,
    at: now,
    nextAt: Infinity,
    computed: 0,
  };
}

export function begin(replica: Replica, work: Work, now: number): void {
  advance(replica, now);
  replica.running.push({ work, until: replica.virtual + work.alone });
  plan(replica);
}

/** The request that is done at `nextAt`. */
export function finish(replica: Replica): Work {
  advance(replica, replica.nextAt);
  const index = firstOf(replica);
  const [done] = replica.running.splice(index, 1);
  plan(replica);
  return done!.work;
}

/** Uses its processor and virtual time until `now`. */
export function advance(replica: Replica, now: number): void {
  const elapsed = now - replica.at;
  if (elapsed <= 0) return;
  const speed = speedOf(replica);
  replica.virtual += elapsed * speed;
  replica.computed += elapsed * Math.min(CORES, speed * computingOf(replica) * overheadOf(replica));
  replica.at = now;
}

function memoryOf({ running }: Replica): number {
  return MEMORY.base + MEMORY.each * running.length;
}

function plan(replica: Replica): void {
  const index = firstOf(replica);
  const left = index < 0 ? Infinity : replica.running[index]!.until - replica.virtual;
  replica.nextAt = replica.at + Math.max(0, left) / speedOf(replica);
}

function firstOf({ running }: Replica): number {
  let first = -1;
  for (let i = 0; i < running.length; i++) {
    if (first < 0 || running[i]!.until < running[first]!.until) first = i;
  }
  return first;
}

/** Cores that all of it would use at full speed. */
function computingOf({ running }: Replica): number {
  let sum = 0;
  for (const { work } of running) sum += work.computing;
  return sum;
}

function overheadOf({ running }: Replica): number {
  return 1 + CONTENTION * Math.max(0, running.length - 1);
}

function speedOf(replica: Replica): number {
  const asked = computingOf(replica) * overheadOf(replica);
  const over = Math.max(0, memoryOf(replica) / MEMORY.limit - 1);
  return Math.min(1, CORES / Math.max(asked, 1e-9)) / (1 + MEMORY_PENALTY * over);
}
