import type { SignalInput, SignalName } from '#domain/scaling-signals.ts';
import { duration } from '#domain/units.ts';
import { UNLIMITED_CONCURRENCY } from '#policies/scale.ts';
import type { SignalSpec } from '#policies/scaling/signals.ts';
import { shorten } from '#policies/words.ts';
import type { RevisionFacts } from '../../records/facts.ts';

/** What the signals of a model file mean to the policy, in its units: requests, ms, cores, bytes. */

/** Data planes report each second. */
const REPORT_MS = 1000;
/** The meters of the local runtime look every other second. */
const METER_MS = 2000;
/** A Prometheus scrapes every 15 s or so; asking more often gives the same. */
export const QUERY_MS = 15_000;
/** Measures are stored by the minute. */
export const MEASURE_MS = 60_000;

const EVERY: Record<SignalName, number> = {
  concurrency: REPORT_MS,
  requests: REPORT_MS,
  queueWait: REPORT_MS,
  latency: REPORT_MS,
  cpu: METER_MS,
  memory: METER_MS,
  gpu: MEASURE_MS,
  tokens: MEASURE_MS,
  prometheus: QUERY_MS,
  custom: MEASURE_MS,
};

export function makeSignalSpecs(facts: RevisionFacts): readonly SignalSpec[] {
  return facts.scaling.signals.map((row) => ({
    name: nameOf(row),
    kind: isRatio(row) ? 'ratio' : 'total',
    target: targetOf(row, facts),
    weight: row.weight,
    every: EVERY[row.signal],
  }));
}

/** The measure that it is read from, where it is one that users post. */
export function measureOf({ signal, measure }: SignalInput): string | undefined {
  return signal === 'gpu' || signal === 'tokens' ? signal : measure;
}

function nameOf({ signal, query, measure }: SignalInput): string {
  const about = query ?? measure;
  if (about === undefined) return signal;
  return `${signal} ${shorten(about)}`;
}

/** The load of a GPU is that of each of them, whoever measures it. */
function isRatio({ signal, type }: SignalInput): boolean {
  return signal === 'latency' || signal === 'queueWait' || signal === 'gpu' || type === 'Value';
}

function targetOf({ signal, target }: SignalInput, { scaling, workload }: RevisionFacts): number {
  const { concurrency, resources } = workload.spec;
  if (typeof target === 'string') return duration.parse(target);
  if (target === undefined) {
    return scaling.target * (concurrency === 0 ? UNLIMITED_CONCURRENCY : concurrency);
  }
  if (signal === 'cpu') return target * (resources.cpu ?? 1);
  if (signal === 'memory') return target * (resources.memory ?? 1);
  return target;
}
