import type { SelectionSpec, SpecOf } from '#domain/selection.ts';
import { type Candidate, type Choice, newestOf, othersOf, type Seen, servingOf } from './choice.ts';
import { type Distance, measureKs, measurePsi, weightOf } from './drift.ts';
import { advantageOf, chanceOf, formatNumber, NO_SCORE, type Score } from './score.ts';

/** Which revision should serve, by what was measured. Nothing changes on data that are missing or few. */
export function decideChoice(spec: SelectionSpec, seen: Seen): Choice {
  const serving = servingOf(seen);
  if (!serving) return { reason: 'none', why: 'no revision serves yet' };
  switch (spec.strategy) {
    case 'periodicBest':
      return decidePeriodicBest(spec, seen, serving);
    case 'accuracyDriven':
      return decideAccuracyDriven(spec, seen, serving);
    case 'threshold':
      return decideThreshold(spec, seen, serving);
    case 'dataDriven':
      return decideDataDriven(spec, seen, serving);
    default:
      return {
        reason: 'fits',
        why: `${serving.revision} serves until another one is chosen by hand`,
      };
  }
}

function decidePeriodicBest(spec: SpecOf<'periodicBest'>, seen: Seen, serving: Candidate): Choice {
  const thin = thinOf(serving, spec.measure, spec.minSamples);
  if (thin !== undefined) return { reason: 'thin', why: thin };
  return chooseBest(spec, seen, serving) ?? stays(spec, seen, serving);
}

/** The best of those that are known well enough, if it is better by the margin and by more than chance. */
function chooseBest(
  spec: Pick<SpecOf<'periodicBest'>, 'measure' | 'goal' | 'margin' | 'minSamples'>,
  seen: Seen,
  serving: Candidate,
): Choice | undefined {
  const now = scoreOf(serving);
  const [best] = knownOf(seen, spec.minSamples).toSorted((a, b) =>
    advantageOf(scoreOf(b), scoreOf(a), spec.goal),
  );
  if (!best) return undefined;
  const advantage = advantageOf(scoreOf(best), now, spec.goal);
  if (advantage < spec.margin || advantage <= chanceOf(scoreOf(best), now)) return undefined;
  return {
    revision: best.revision,
    reason: 'better',
    why: `${describe(best, spec.measure)}, better by ${formatNumber(advantage)} than ${describeOwn(serving)}`,
  };
}

function stays(
  { measure, minSamples, margin }: SpecOf<'periodicBest'>,
  seen: Seen,
  serving: Candidate,
): Choice {
  const list = describeOthers(seen, measure, minSamples);
  const by = margin > 0 ? ` by ${formatNumber(margin)}` : '';
  const why = `${describe(serving, measure)}, and none is better${by} and by more than chance: ${list}`;
  return { reason: 'fits', why, judged: judgedOf(seen, minSamples) };
}

function decideAccuracyDriven(
  spec: SpecOf<'accuracyDriven'>,
  seen: Seen,
  serving: Candidate,
): Choice {
  const { measure, goal, bound, hysteresis, minSamples } = spec;
  const thin = thinOf(serving, measure, minSamples);
  if (thin !== undefined) return { reason: 'thin', why: thin };
  const sign = goal === 'higher' ? 1 : -1;
  const over = ({ mean }: Score): number => sign * (mean - bound);
  const what = describe(serving, measure);
  if (over(scoreOf(serving)) >= 0) {
    return { reason: 'fits', why: `${what}, within the bound of ${formatNumber(bound)}` };
  }
  const beyond = `${what}, beyond the bound of ${formatNumber(bound)}`;
  const [best] = knownOf(seen, minSamples)
    .filter((other) => over(scoreOf(other)) >= hysteresis)
    .toSorted((a, b) => advantageOf(scoreOf(b), scoreOf(a), goal));
  if (best) {
    const why = `${beyond}; ${describe(best, measure)}`;
    return { revision: best.revision, reason: 'beyond', why };
  }
  const needed = formatNumber(bound + sign * hysteresis);
  const list = describeOthers(seen, measure, minSamples);
  const why = `${beyond}, and no other reaches ${needed}: ${list}`;
  return { reason: 'none', why, judged: judgedOf(seen, minSamples) };
}

function decideThreshold(spec: SpecOf<'threshold'>, seen: Seen, serving: Candidate): Choice {
  const { measure, above, below, hysteresis, to, otherwise, minSamples } = spec;
  const { score = NO_SCORE } = seen;
  if (score.count < minSamples) {
    return { reason: 'thin', why: `${measure} has ${samplesOf(score)}, ${minSamples} are needed` };
  }
  const bound = above ?? below ?? 0;
  const side = above === undefined ? 'below' : 'above';
  const over = above === undefined ? bound - score.mean : score.mean - bound;
  const is = `${measure} is ${formatNumber(score.mean)} (${samplesOf(score)})`;
  if (over > 0) {
    return choose(seen, serving, to, 'beyond', `${is}, ${side} ${formatNumber(bound)}`);
  }
  const isBack = over <= -hysteresis;
  const why = `${is}, not ${side} ${formatNumber(bound)}`;
  if (otherwise === undefined || !isBack) return { reason: 'fits', why };
  return choose(seen, serving, otherwise, 'back', why);
}

/** One that is named, if it can serve. */
function choose(
  seen: Seen,
  serving: Candidate,
  revision: string,
  reason: 'beyond' | 'back',
  why: string,
): Choice {
  if (serving.revision === revision) return { reason, why: `${why}: ${revision} serves` };
  if (othersOf(seen).some((other) => other.revision === revision)) {
    return { revision, reason, why };
  }
  const isThere = seen.candidates.some((one) => one.revision === revision);
  const fault = isThere ? 'it is not ready' : 'there is no such revision';
  return { reason: 'none', why: `${why}, but ${revision} cannot serve: ${fault}` };
}

function decideDataDriven(spec: SpecOf<'dataDriven'>, seen: Seen, serving: Candidate): Choice {
  const found = [findNewData(spec, seen), ...findDrifts(spec, seen)];
  const changed = found.find(({ reason }) => reason === 'data' || reason === 'drift');
  if (!changed) {
    const reason = found.some((each) => each.reason === 'thin') ? 'thin' : 'fits';
    return {
      reason,
      why: found
        .map(({ why }) => why)
        .filter(Boolean)
        .join('; '),
    };
  }
  const { score } = spec;
  if (!score) {
    const newest = newestOf(othersOf(seen));
    if (newest && newest.ordinal > serving.ordinal) {
      const why = `${changed.why}; ${newest.revision} is the newest revision`;
      return { ...changed, revision: newest.revision, why };
    }
    return { reason: 'none', why: `${changed.why}; there is no newer revision that is ready` };
  }
  const thin = thinOf(serving, score.measure, spec.minSamples);
  if (thin !== undefined) return { reason: 'thin', why: `${changed.why}; ${thin}` };
  const rule = { ...score, margin: 0, minSamples: spec.minSamples };
  const best = chooseBest(rule, seen, serving);
  if (best?.revision !== undefined) {
    return { ...changed, revision: best.revision, why: `${changed.why}; ${best.why}` };
  }
  const what = `no revision has a better ${score.measure} than ${describeOwn(serving)}`;
  const judged = judgedOf(seen, spec.minSamples);
  return { reason: 'none', why: `${changed.why}; ${what}`, judged };
}

function findNewData({ newData }: SpecOf<'dataDriven'>, seen: Seen): Choice {
  if (!newData) return { reason: 'fits', why: '' };
  const { newData: amount = 0 } = seen;
  const why = `${formatNumber(amount)} new ${newData.measure}, ${formatNumber(newData.amount)} are enough`;
  return { reason: amount >= newData.amount ? 'data' : 'fits', why };
}

function findDrifts(spec: SpecOf<'dataDriven'>, { features = [] }: Seen): Choice[] {
  return features.map(({ name, reference, current }) => {
    const [before, now] = [weightOf(reference), weightOf(current)];
    if (Math.min(before, now) < spec.minSamples) {
      const why = `${name} has ${before} samples before and ${now} now, ${spec.minSamples} are needed`;
      return { reason: 'thin', why };
    }
    const psi = measurePsi(reference, current);
    const ks = measureKs(reference, current);
    const is = `${name}: PSI ${formatNumber(psi.value)}, KS ${formatNumber(ks.value)}`;
    const drifted = isBeyond(psi, spec.psi) || isBeyond(ks, spec.ks);
    const bounds = `the bounds are ${formatNumber(spec.psi)} and ${formatNumber(spec.ks)}`;
    return {
      reason: drifted ? 'drift' : 'fits',
      why: `${is} (${before} and ${now} samples; ${bounds})`,
    };
  });
}

/** Beyond the bound, and beyond what few samples show where nothing has changed. */
function isBeyond({ value, chance }: Distance, bound: number): boolean {
  return value > bound && value > chance;
}

function knownOf(seen: Seen, minSamples: number): Candidate[] {
  return othersOf(seen).filter((other) => scoreOf(other).count >= minSamples);
}

function judgedOf(seen: Seen, minSamples: number): string[] {
  return knownOf(seen, minSamples).map(({ revision }) => revision);
}

function scoreOf({ score = NO_SCORE }: Candidate): Score {
  return score;
}

function thinOf(candidate: Candidate, measure: string, minSamples: number): string | undefined {
  const score = scoreOf(candidate);
  if (score.count >= minSamples) return undefined;
  return `${candidate.revision} has ${samplesOf(score)} of ${measure}, ${minSamples} are needed`;
}

function describe(candidate: Candidate, measure: string): string {
  const score = scoreOf(candidate);
  return `${candidate.revision} has ${measure} ${formatNumber(score.mean)} (${samplesOf(score)})`;
}

function describeOthers(seen: Seen, measure: string, minSamples: number): string {
  const others = othersOf(seen).map(
    (other) => thinOf(other, measure, minSamples) ?? describe(other, measure),
  );
  return others.length === 0 ? 'there is no other that is ready' : others.join(', ');
}

/** Where the measure has been named: `v1's 0.9 (1000 samples)`. */
function describeOwn(candidate: Candidate): string {
  const score = scoreOf(candidate);
  return `${candidate.revision}'s ${formatNumber(score.mean)} (${samplesOf(score)})`;
}

function samplesOf({ count }: Score): string {
  return count === 1 ? '1 sample' : `${count} samples`;
}
