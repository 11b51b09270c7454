import { expect, test } from 'vitest';
import { blendSignals } from '#policies/scaling/blend.ts';
import { type Judged, type SignalSpec, UNKNOWN } from '#policies/scaling/signals.ts';

const guard: SignalSpec = { name: 'latency', kind: 'ratio', target: 1, every: 1000 };
const weighted: SignalSpec = { ...guard, name: 'cpu', kind: 'total', weight: 2 };
const needs = (needed: number): Judged => ({ needed, burst: needed, memory: UNKNOWN });
const missing: Judged = { leftOut: 'has no value', memory: UNKNOWN };

test.each<[string, readonly SignalSpec[], readonly Judged[], object]>([
  [
    'a guard that is known',
    [guard],
    [needs(3)],
    { needed: 3, burst: 3, isHeld: false, said: 'by latency 3' },
  ],
  [
    'guards of which none is known',
    [guard],
    [missing],
    { needed: 0, burst: 0, isHeld: true, said: 'by no signal; left out: latency has no value' },
  ],
  [
    'a guard alone, where what has a weight is not known: it may raise the number, not lower it',
    [weighted, guard],
    [missing, needs(3)],
    { needed: 3, isHeld: true, said: 'by latency 3; left out: cpu has no value' },
  ],
  [
    'what has a weight alone',
    [weighted, guard],
    [needs(1), missing],
    { needed: 1, isHeld: false, said: 'by cpu 1 (weight 2); left out: latency has no value' },
  ],
])('%s', (_, specs, judged, expected) => {
  expect(blendSignals(specs, judged)).toMatchObject(expected);
});
