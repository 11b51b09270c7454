/** What became of the requests of one kind. */
export interface Count {
  sent: number;
  answered: number;
  /** With a problem document of Rouse. */
  refused: number;
  /** By the caller, on purpose. */
  aborted: number;
}

/** One request: exactly one of these is called, once. */
export interface Outcome {
  readonly answered: () => void;
  readonly refused: (code: string) => void;
  readonly aborted: () => void;
  /** What should not be: it stays unaccounted for. */
  readonly lost: (why: string) => void;
}

/** Examples that are kept for the report. */
const MOST_REASONS = 20;

export interface Tally {
  readonly begin: (kind: string) => Outcome;
  readonly counts: () => Readonly<Record<string, Count>>;
  readonly refusals: () => Readonly<Record<string, number>>;
  /** Requests that were lost, and outcomes that came twice. */
  readonly problems: () => readonly string[];
}

export function createTally(): Tally {
  const counts: Record<string, Count> = {};
  const refusals: Record<string, number> = {};
  const problems: string[] = [];

  function tell(problem: string): void {
    if (problems.length < MOST_REASONS) problems.push(problem);
  }

  function begin(kind: string): Outcome {
    const count = (counts[kind] ??= { sent: 0, answered: 0, refused: 0, aborted: 0 });
    count.sent++;
    let ended = false;
    const end = (how: 'answered' | 'refused' | 'aborted'): void => {
      if (ended) tell(`${kind}: ${how} after it had ended`);
      else count[how]++;
      ended = true;
    };
    return {
      answered: () => end('answered'),
      aborted: () => end('aborted'),
      refused(code) {
        refusals[code] = (refusals[code] ?? 0) + 1;
        end('refused');
      },
      lost(why) {
        if (!ended) tell(`${kind}: ${why}`);
        ended = true;
      },
    };
  }

  return { begin, counts: () => counts, refusals: () => refusals, problems: () => problems };
}

/** By kind, how many have no outcome; empty is what must be. */
export function findUnaccounted(counts: Readonly<Record<string, Count>>): string[] {
  return Object.entries(counts).flatMap(([kind, { sent, answered, refused, aborted }]) => {
    const missing = sent - answered - refused - aborted;
    return missing === 0 ? [] : [`${kind}: ${missing} of ${sent} requests are unaccounted for`];
  });
}
