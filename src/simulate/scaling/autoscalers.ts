import { PANIC_SECONDS, STABLE_SECONDS, CALM, decideScale } from '#policies/scale.ts';
import { sightLatency, sightTotal } from '#policies/scaling/measured.ts';
import { UNWEIGHTED, type WeightedSpec, decideWeighted } from '#policies/scaling/weighted.ts';
import { meanLoad } from '#policies/window.ts';
import { type Autoscale, CONCURRENCY, type View } from './run.ts';

/** The two that are compared: by concurrency alone, and by signals. Each is made anew for each run. */

/** `target`: share of an instance's concurrency to aim at. */
export function createByConcurrency(target: number): Autoscale {
  let memory = CALM;
  return (view) => {
    const decided = decideScale(
      { concurrency: CONCURRENCY, target },
      loadOf(view),
      memory,
      view.now,
    );
    memory = decided.memory;
    return decided.decision.count;
  };
}

/** Signals of the spec are `cpu` and `latency`. */
export function createBySignals(spec: WeightedSpec): Autoscale {
  let memory = UNWEIGHTED;
  return (view) => {
    const { now, ready, instances, measured, cores } = view;
    const load = decideScale({ concurrency: CONCURRENCY, target: 1 }, loadOf(view), CALM, now);
    const seen = {
      signals: spec.signals.map(({ name }) =>
        name === 'cpu'
          ? sightTotal(measured.since, cores, now)
          : sightLatency(measured, measured.latency, now),
      ),
      ready,
      woken: 0,
      instances,
      isBusy: view.queued + view.inFlight > 0,
      load: load.decision.count,
    };
    const decided = decideWeighted(spec, seen, memory, now);
    memory = decided.memory;
    return decided.decision.count;
  };
}

function loadOf({
  now,
  ready,
  queued,
  inFlight,
  measured,
}: View): Parameters<typeof decideScale>[1] {
  const stable = meanLoad(measured.load, now, STABLE_SECONDS);
  const panic = meanLoad(measured.load, now, PANIC_SECONDS);
  return { stable, panic, ready, woken: 0, queued, inFlight };
}
