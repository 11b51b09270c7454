import { coldWords, formatCount } from '../words.ts';
import { type Behavior, type BehaviorMemory, STILL, paceChange } from './behavior.ts';
import { type Blend, blendSignals } from './blend.ts';
import {
  type Judged,
  type Sighting,
  type SignalMemory,
  type SignalSpec,
  UNKNOWN,
  judgeSignal,
} from './signals.ts';

/** A burst is a need of this many times what is ready, as for Knative's KPA. */
const PANIC_THRESHOLD = 2;

export interface WeightedSpec {
  readonly signals: readonly SignalSpec[];
  readonly behavior: Behavior;
}

export interface WeightedSeen {
  /** One for each signal of the spec, in its order. */
  readonly signals: readonly Sighting[];
  readonly ready: number;
  /** How many of them were woken so lately that nothing of theirs can have been measured. */
  readonly woken: number;
  /** Starting or ready. */
  readonly instances: number;
  /** Something waits or runs now. */
  readonly isBusy: boolean;
  /** What the load alone needs (`decideScale`): all that is known while nothing has run for a while. */
  readonly load: number;
}

export interface WeightedMemory {
  readonly signals: readonly SignalMemory[];
  readonly pace: BehaviorMemory;
}

export const UNWEIGHTED: WeightedMemory = { signals: [], pace: STILL };

/** For instances that were there before anybody measured: as if so many had been wanted until now. */
export function makeAdoptedWeighted(count: number, now: number): WeightedMemory {
  return { ...UNWEIGHTED, pace: { ...STILL, highs: [{ at: now, count }] } };
}

export interface WeightedDecision {
  readonly count: number;
  /** `blind`: no signal has a value, so the number stays while anything waits or runs. */
  readonly mode: 'cold' | 'panic' | 'weighted' | 'blind';
}

/**
 * How many instances a model's signals need: their blend (`blend.ts`), at the pace that its behavior allows
 * (`behavior.ts`). With nothing ready, or only what was woken just now, what waits and runs decides. Whatever the signals
 * say, one stays while anything waits or runs.
 */
export function decideWeighted(
  spec: WeightedSpec,
  seen: WeightedSeen,
  memory: WeightedMemory,
  now: number,
): { decision: WeightedDecision; memory: WeightedMemory; why: string } {
  const judged = spec.signals.map((signal, index) =>
    judgeSignal(signal, seen.signals[index]!, memory.signals[index] ?? UNKNOWN, seen.ready, now),
  );
  const blend = blendSignals(spec.signals, judged);
  const { wanted, mode } = wantedBy(blend, seen);
  const isUrgent = mode === 'cold' || mode === 'panic';
  const change = { wanted, current: seen.instances, isUrgent };
  const paced = paceChange(spec.behavior, change, memory.pace, now);
  const count = Math.max(paced.count, seen.isBusy ? 1 : 0);
  return {
    decision: { count, mode },
    memory: { signals: judged.map(memoryOf), pace: paced.memory },
    why: whyOf(blend, { count, mode, wanted, held: paced.held, ready: seen.ready }),
  };
}

function wantedBy(
  blend: Blend,
  { ready, woken, instances, load, isBusy }: WeightedSeen,
): { wanted: number; mode: WeightedDecision['mode'] } {
  if (ready === woken) return { wanted: load, mode: 'cold' };
  if (blend.burst >= PANIC_THRESHOLD * ready) return { wanted: blend.burst, mode: 'panic' };
  if (!blend.isHeld) return { wanted: blend.needed, mode: 'weighted' };
  // That nobody is there is known all the same, and then nothing has to be kept for the signals' sake.
  const least = isBusy ? instances : Math.min(load, instances);
  return { wanted: Math.max(blend.needed, least), mode: 'blind' };
}

function memoryOf({ memory }: Judged): SignalMemory {
  return memory;
}

function whyOf(
  { said }: Blend,
  {
    count,
    mode,
    wanted,
    held,
    ready,
  }: {
    count: number;
    mode: WeightedDecision['mode'];
    wanted: number;
    held: string | undefined;
    ready: number;
  },
): string {
  const because = {
    cold: coldWords(ready),
    panic: 'a burst',
    weighted: 'signals',
    blind: 'no signal that could lower it',
  }[mode];
  const exact = Math.round(wanted * 100) / 100;
  const pace = held === undefined ? '' : `; ${held}`;
  return `the load needs ${formatCount(count)} (${because}): ${exact} ${said}${pace}`;
}
