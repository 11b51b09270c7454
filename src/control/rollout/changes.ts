import type { Actor, RevisionRecord } from '#domain/records.ts';
import type { RolloutAction, RolloutPhase, RolloutRecord, RolloutSpec } from '#domain/rollout.ts';
import { Fault } from '#lib/fault.ts';
import { beginRollout, beginStep, type RolloutDecided, stepsOf } from '#policies/rollout/decide.ts';

/** What a rollout becomes, and what is told of it; without a type nothing is. */
export interface RolloutChange {
  readonly record: RolloutRecord;
  readonly type?: string;
  readonly why: string;
  readonly actor: Actor;
}

export const ROLLOUT: Actor = { id: 'system:rollout', role: 'admin' };
const WHY_LIMIT = 4096;

export interface NewRollout extends Pick<RolloutRecord, 'stable' | 'by'> {
  readonly canary: Pick<RevisionRecord, 'name' | 'ordinal' | 'createdAt'>;
  readonly why: string;
  readonly actor: Actor;
}

export function begin(
  { stable, canary, by, why, actor }: NewRollout,
  spec: RolloutSpec,
  now: number,
): RolloutChange {
  const { name, ordinal, createdAt } = canary;
  const percent = stepsOf(spec)[0] ?? 0;
  const said = `${why}: ${describeShare(name, percent)}, ${stable} the rest`;
  const times = { startedAt: now, lookedAt: now };
  const memory = beginRollout(now);
  const record = {
    phase: 'Running',
    stable,
    canary: name,
    made: { ordinal, at: createdAt },
    by,
    percent,
    ...times,
    why: said,
    memory,
  } as const;
  return { record, type: 'RolloutStarted', why: said, actor };
}

/**
 * The steps were written anew while it is open: it goes on from the last that is not above its share, or begins with the
 * first, unless it is paused. Undefined: that is where it is.
 */
export function findPlace(
  before: RolloutRecord,
  spec: RolloutSpec,
  now: number,
): RolloutChange | undefined {
  const { phase, canary, percent, memory } = before;
  const steps = stepsOf(spec);
  const [first = 0] = steps;
  const step = Math.max(
    0,
    steps.findLastIndex((share) => share <= percent),
  );
  if (percent < first && phase === 'Running') {
    const why = `${describeShare(canary, first)}: its steps were written anew`;
    const record = { ...before, percent: first, memory: beginRollout(now), why };
    return { record, type: 'RolloutAdvanced', why, actor: ROLLOUT };
  }
  if (step === memory.step || steps[memory.step] === percent) return undefined;
  const why = `${describeShare(canary, percent)}, as before: its steps were written anew`;
  const next = { ...memory, step, stepAt: now, requests: 0 };
  return { record: { ...before, memory: next, why }, why, actor: ROLLOUT };
}

/** What the policy has decided. `told`: why it was held before. */
export function carryOut(
  before: RolloutRecord,
  { decision, memory, why }: RolloutDecided,
  told: string | undefined,
  now: number,
): RolloutChange {
  const record = { ...before, memory, lookedAt: now, why: why.slice(0, WHY_LIMIT) };
  const { canary } = before;
  if (decision.kind === 'hold') {
    const type = decision.reason === told ? {} : { type: 'RolloutHeld' };
    const said = `${describeShare(canary, before.percent)}: ${why}`;
    return { record, ...type, why: said, actor: ROLLOUT };
  }
  if (decision.kind === 'advance') {
    const { percent } = decision;
    const said = `${describeShare(canary, percent)}: ${why}`;
    return { record: { ...record, percent }, type: 'RolloutAdvanced', why: said, actor: ROLLOUT };
  }
  if (decision.kind === 'promote') {
    return end(record, 'Promoted', `${canary} gets all requests: ${why}`, ROLLOUT);
  }
  return end(record, 'RolledBack', `back to ${before.stable}: ${why}`, ROLLOUT);
}

export function end(
  before: RolloutRecord,
  phase: Exclude<RolloutPhase, 'Running' | 'Paused'>,
  why: string,
  actor: Actor,
): RolloutChange {
  const percent = phase === 'Promoted' ? 100 : 0;
  const record = { ...before, phase, percent, why: why.slice(0, WHY_LIMIT) };
  return { record, type: phase === 'Ended' ? 'RolloutEnded' : `Rollout${phase}`, why, actor };
}

/** What somebody wants of one that is open. Throws Fault `conflict` when it cannot be done now. */
export function actOn(
  before: RolloutRecord,
  action: RolloutAction,
  spec: RolloutSpec,
  actor: Actor,
  now: number,
): RolloutChange {
  const { phase, stable, canary } = before;
  const by = `by ${actor.id}`;
  if (action === 'promote') {
    return end(before, 'Promoted', `${canary} gets all requests, unjudged: promoted ${by}`, actor);
  }
  if (action === 'abort') return end(before, 'Aborted', `back to ${stable}: aborted ${by}`, actor);
  if (action === 'skip') return skip(before, spec, actor, now);
  const wanted = action === 'pause' ? 'Paused' : 'Running';
  if (phase === wanted) throw new Fault('conflict', `the rollout of ${canary} is ${phase} already`);
  const why =
    action === 'pause' ? `no further step: paused ${by}; rolled back if worse` : `resumed ${by}`;
  const type = action === 'pause' ? 'RolloutPaused' : 'RolloutResumed';
  return { record: { ...before, phase: wanted, why }, type, why, actor };
}

function skip(before: RolloutRecord, spec: RolloutSpec, actor: Actor, now: number): RolloutChange {
  const { canary, memory } = before;
  const steps = stepsOf(spec);
  const [first = 0] = steps;
  // Paused, it has not taken the first of steps that were written anew.
  const isBelow = before.percent < first;
  const percent = isBelow ? first : steps[memory.step + 1];
  const by = `step skipped by ${actor.id}`;
  if (percent === undefined)
    return end(before, 'Promoted', `${canary} gets all requests: ${by}`, actor);
  const why = `${describeShare(canary, percent)}: ${by}`;
  const next = isBelow ? beginRollout(now) : beginStep(spec, memory, now);
  return { record: { ...before, percent, memory: next, why }, type: 'RolloutAdvanced', why, actor };
}

function describeShare(canary: string, percent: number): string {
  return percent === 0 ? `${canary} gets no requests yet` : `${canary} gets ${percent} %`;
}
