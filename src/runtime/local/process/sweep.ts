import type { ProcessTable, ProcessStat } from './proc.ts';

/**
 * Finds and ends all that belongs to an instance, whatever it did to get away: new session, new parent,
 * frozen. Three traces lead to it, since each can be missing:
 * the mark in the environment (inherited; a program may overwrite its own), the session of the instance's
 * first process (left by setsid), the chain of parents (cut when a parent ends: what hangs on it is noted
 * with `descendantsOf` before the first process is told to end).
 */

/** In the environment of every instance: `<state>/<instance>`. */
export const ENV_INSTANCE = 'ROUSE_INSTANCE';

/** One process and no other, even when its pid is given again. */
export type Identity = Pick<ProcessStat, 'pid' | 'startTicks'>;

/** The first process of an instance: its session has its pid. */
export type Leader = Identity;

export interface Marks {
  /** Whose mark begins with one of these belongs to us. */
  readonly prefixes: readonly string[];
  readonly leaders: readonly Leader[];
  /** Known before by the chain of parents. */
  readonly members?: readonly Identity[];
  /** What started before this tick cannot be meant, and is not looked into. */
  readonly sinceTicks?: number;
}

/** Never more passes than this: what forks faster than it is frozen would hold us for ever. */
const MOST_PASSES = 20;

/**
 * Freezes what it finds and looks again until nothing new is found, so that nothing can fork itself away
 * between finding and killing; then kills. Gives the number of processes killed.
 */
export function sweep(processes: ProcessTable, marks: Marks, spared: ReadonlySet<number>): number {
  const caught = new Map<number, ProcessStat>();
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const found = findMembers(processes, marks, caught, spared);
    if (found.length === 0) break;
    for (const member of found) {
      caught.set(member.pid, member);
      signalSame(processes, member, 'SIGSTOP');
    }
  }
  for (const member of caught.values()) signalSame(processes, member, 'SIGKILL');
  return caught.size;
}

/** Those that hang on a process by the chain of parents, while it is there. */
export function descendantsOf(
  processes: Pick<ProcessTable, 'stat' | 'children'>,
  leader: Leader,
): Identity[] {
  if (!isSame(processes, leader)) return [];
  const pids = new Set([leader.pid]);
  // A set gives what is added while it is walked through.
  for (const pid of pids) for (const child of processes.children(pid)) pids.add(child);
  pids.delete(leader.pid);
  return Array.from(pids).flatMap((pid) => {
    const stat = processes.stat(pid);
    // What is older has the pid of one that ended just now.
    return stat && stat.startTicks >= leader.startTicks
      ? [{ pid, startTicks: stat.startTicks }]
      : [];
  });
}

/** Looks once more who has the pid: since it was found it could have been given to another. */
export function isSame(
  processes: Pick<ProcessTable, 'stat'>,
  { pid, startTicks }: Identity,
): boolean {
  return processes.stat(pid)?.startTicks === startTicks;
}

export function signalSame(
  processes: Pick<ProcessTable, 'stat' | 'signal'>,
  member: Identity,
  signal: NodeJS.Signals,
): void {
  if (isSame(processes, member)) processes.signal(member.pid, signal);
}

function findMembers(
  processes: ProcessTable,
  marks: Marks,
  caught: ReadonlyMap<number, ProcessStat>,
  spared: ReadonlySet<number>,
): ProcessStat[] {
  const since = marks.sinceTicks ?? 0;
  const all = processes
    .list()
    .filter((stat) => !stat.isDead && stat.startTicks >= since && !spared.has(stat.pid));
  const isInSession = sessionTest(all, marks.leaders);
  const needles = marks.prefixes.map((prefix) => Buffer.from(`${ENV_INSTANCE}=${prefix}`));
  const children = Map.groupBy(all, (stat) => stat.parent);
  const noted = new Map(marks.members?.map(({ pid, startTicks }) => [pid, startTicks]));
  const isNoted = (stat: ProcessStat): boolean => noted.get(stat.pid) === stat.startTicks;
  const isKnown = (stat: ProcessStat): boolean =>
    caught.get(stat.pid)?.startTicks === stat.startTicks;
  const members = new Set(
    all.filter(
      (stat) =>
        isKnown(stat) ||
        isNoted(stat) ||
        isInSession(stat) ||
        isMarked(processes.environment(stat.pid), needles),
    ),
  );
  // A set gives what is added while it is walked through.
  for (const member of members) {
    for (const child of children.get(member.pid) ?? []) members.add(child);
  }
  return Array.from(members).filter((stat) => !isKnown(stat));
}

function sessionTest(
  all: readonly ProcessStat[],
  leaders: readonly Leader[],
): (stat: ProcessStat) => boolean {
  const ours = new Map(leaders.map((leader) => [leader.pid, leader.startTicks]));
  const starts = new Map(all.map((stat) => [stat.pid, stat.startTicks]));
  return (stat) => {
    const started = ours.get(stat.session);
    if (started === undefined) return false;
    // The kernel does not reuse the pid of a leader while its session lives: another start, another session.
    const leaderNow = starts.get(stat.session);
    return leaderNow === undefined ? stat.startTicks >= started : leaderNow === started;
  };
}

function isMarked(environment: Buffer | undefined, needles: readonly Buffer[]): boolean {
  if (!environment) return false;
  return needles.some((needle) => {
    for (let at = environment.indexOf(needle); at >= 0; at = environment.indexOf(needle, at + 1)) {
      if (at === 0 || environment[at - 1] === 0) return true;
    }
    return false;
  });
}
