/** Events among so many trials, on both sides and in the same time. */
export interface Table {
  readonly events: number;
  readonly trials: number;
  readonly otherEvents: number;
  readonly otherTrials: number;
}

/** Logarithms of the odds ratios that are bet on. */
const BETS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] as const;

/** Nothing has been seen. */
export const NO_BETS: readonly number[] = BETS.map(() => 0);

/**
 * Bets that events are more likely on this side than on the other, one table (say, a minute) after the other. Given
 * how many events both had together, their number on this side has Fisher's noncentral hypergeometric distribution,
 * with the odds ratio as its only parameter: what both have in common in that minute, good or bad, falls out. The
 * likelihood ratio against equal odds is an e-value, exactly and for any number of trials; where events are less likely
 * on this side its mean is below 1. A. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact sequential k-sample
 * tests that allow for optional stopping" (2022).
 *
 * @returns logarithms of the wealth after this table.
 */
export function bet(before: readonly number[], table: Table): readonly number[] {
  const { events, trials, otherEvents, otherTrials } = table;
  const all = events + otherEvents;
  if (trials === 0 || otherTrials === 0 || all === 0 || all === trials + otherTrials) return before;
  const equal = logSum(table, 0);
  return before.map((wealth, index) => {
    const logOdds = BETS[index] ?? 0;
    return wealth + logOdds * events - logSum(table, logOdds) + equal;
  });
}

/** Logarithm of the e-value of all bets together: their mean. Above log(1/α) with a chance of at most α, ever. */
export function logEvidence(bets: readonly number[]): number {
  const most = Math.max(...bets);
  const sum = bets.reduce((total, each) => total + Math.exp(each - most), 0);
  return most + Math.log(sum / bets.length);
}

/**
 * Logarithms of e-values from so many events among so many trials: against a chance of at most `share` each, and against
 * one of at least that. Likelihood ratios again, here of the binomial distribution, which is known with the chance; they
 * hold whatever came before, if each event is no more (or no less) likely than that given all before it.
 *
 * @param share above 0 and below 1.
 */
export function weighOdds(
  events: number,
  trials: number,
  share: number,
): { worse: number; fine: number } {
  const ratioOf = (logOdds: number): number =>
    logOdds * events - trials * Math.log1p(share * Math.expm1(logOdds));
  return {
    worse: logEvidence(BETS.map((logOdds) => ratioOf(logOdds))),
    fine: logEvidence(BETS.map((logOdds) => ratioOf(-logOdds))),
  };
}

/** Terms that are so much smaller than the largest do not count. */
const NEGLIGIBLE = 1e-12;

/** log Σ_x C(trials, x) · C(otherTrials, all − x) · e^(logOdds·x), from its largest term outwards. */
function logSum({ events, trials, otherEvents, otherTrials }: Table, logOdds: number): number {
  const all = events + otherEvents;
  const odds = Math.exp(logOdds);
  const least = Math.max(0, all - otherTrials);
  const most = Math.min(trials, all);
  const mode = modeOf(trials, otherTrials, all, odds);
  const rise = (x: number): number =>
    (odds * (trials - x) * (all - x)) / ((x + 1) * (otherTrials - all + x + 1));
  let sum = 1;
  for (let x = mode, term = 1; x < most && term > NEGLIGIBLE; x++) sum += term *= rise(x);
  for (let x = mode, term = 1; x > least && term > NEGLIGIBLE; x--) sum += term /= rise(x - 1);
  return (
    logChoose(trials, mode) + logChoose(otherTrials, all - mode) + logOdds * mode + Math.log(sum)
  );
}

/** Where a term is for the last time not smaller than the one before: a root of a quadratic equation. */
function modeOf(trials: number, otherTrials: number, all: number, odds: number): number {
  const a = odds - 1;
  const b = odds * (trials + all + 2) + otherTrials - all;
  const c = odds * (trials + 1) * (all + 1);
  return Math.floor((2 * c) / (b + Math.sqrt(b * b - 4 * a * c)));
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

/** Stirling's series is exact to the last digits from here on. */
const SMALL = 32;
const LOG_FACTORIALS = makeLogFactorials();

function makeLogFactorials(): readonly number[] {
  const list = [0];
  for (let n = 1; n < SMALL; n++) list.push(list[n - 1]! + Math.log(n));
  return list;
}

function logFactorial(n: number): number {
  if (n < SMALL) return LOG_FACTORIALS[n]!;
  const root = 0.5 * Math.log(2 * Math.PI * n);
  return n * Math.log(n) - n + root + 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1260 * n ** 5);
}
