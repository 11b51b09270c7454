import { expect, test } from 'vitest';
import { createDemand } from '#activator/link/demand.ts';
import type { RevisionRoute } from '#activator/routes.ts';
import type { RevisionDemand } from '#bus/messages.ts';
import { Timers } from '#lib/timers.ts';
import { createFakeClock } from '#test/fake-clock.ts';

function makeWorld(isLeased: boolean) {
  const clock = createFakeClock();
  const gate = { isLeased, waiting: 1, inFlight: 0 };
  const sent: RevisionDemand[] = [];
  const demand = createDemand({
    routes: { findRevision: () => ({ gate }) as unknown as RevisionRoute },
    timers: new Timers(clock),
    send: (revisions) => sent.push(...revisions),
  });
  return { clock, gate, sent, demand };
}

test('what was woken is told once when it has been served, and nothing before', () => {
  const { clock, gate, sent, demand } = makeWorld(false);
  demand.follow('r');
  clock.advance(60_000);
  Object.assign(gate, { waiting: 0, inFlight: 1 });
  clock.advance(1000);
  expect(sent).toEqual([]);
  gate.inFlight = 0;
  clock.advance(20);
  clock.advance(1000);
  expect(sent).toEqual([{ revision: 'r', queued: 0, inFlight: 0 }]);
  expect(clock.pending).toBe(0);
});

test('what goes on to be used is not looked at for ever', () => {
  const { clock, gate, sent, demand } = makeWorld(false);
  demand.follow('r');
  Object.assign(gate, { waiting: 0, inFlight: 1 });
  clock.advance(6000);
  expect(clock.pending).toBe(0);
  expect(sent).toEqual([]);
});

test('of leased slots it is told what waits, and when all has been served', () => {
  const { clock, gate, sent, demand } = makeWorld(true);
  demand.follow('r');
  clock.advance(40);
  expect(sent).toHaveLength(2);
  Object.assign(gate, { waiting: 0, inFlight: 1 });
  demand.quiet('r');
  expect(sent.at(-1)).toEqual({ revision: 'r', queued: 0, inFlight: 1 });
  gate.inFlight = 0;
  clock.advance(20);
  expect(sent.at(-1)).toEqual({ revision: 'r', queued: 0, inFlight: 0 });
});
