import {
  COLD_START_BUCKETS,
  COLD_START_HELP,
  secondsOfStart,
  type StartTimes,
} from '#domain/cold-start.ts';
import { labelsOf, sample } from '#lib/prometheus.ts';
import { ENTRY_REFUSALS, type EntryRefusal } from '../entry/entering.ts';
import { REFUSAL_CODES, type RefusalCode } from '../refusal.ts';
import { Histogram } from './histogram.ts';
import { FIRST_CODE, type RevisionMetrics } from './revision-metrics.ts';

/** What there is, as the text format introduces it; `docs/metrics.md` has the same, with all labels. */
const FAMILIES = {
  rouse_requests_total: ['counter', 'Requests that were answered, by status.'],
  rouse_request_duration_seconds: ['histogram', 'From arrival to the end of the answer.'],
  rouse_queue_wait_seconds: ['histogram', 'How long requests waited for an instance.'],
  rouse_cold_start_seconds: ['histogram', COLD_START_HELP],
  rouse_cold_requests_total: ['counter', 'Requests that waited for an instance to start.'],
  rouse_shadow_requests_total: ['counter', 'Copies of requests, by what became of them.'],
  rouse_shadow_duration_seconds: ['histogram', 'Of both answers to copied requests.'],
  rouse_queue_depth: ['gauge', 'Requests that wait.'],
  rouse_queue_bytes: ['gauge', 'Bytes that waiting requests hold.'],
  rouse_requests_in_flight: ['gauge', 'Requests that instances have.'],
  rouse_refusals_total: ['counter', 'Requests that Rouse itself refused, by reason.'],
  rouse_connection_refusals_total: [
    'counter',
    'Connections that ended before their first request, by reason.',
  ],
  rouse_client_connections: ['gauge', 'Open connections of callers.'],
  rouse_held_bytes: ['gauge', 'Bytes of limits.heldBytes that are used.'],
  rouse_leased_slots: ['gauge', 'Requests at once that control has given this data plane.'],
  rouse_control_linked: ['gauge', '1: this data plane has control.'],
} as const satisfies Record<string, readonly ['counter' | 'gauge' | 'histogram', string]>;

/** Counters that belong to no revision, such as refusals before a model was found. */
export interface SharedMetrics {
  readonly refusals: Uint32Array;
  /** Of connections, before their first request. */
  readonly entryRefusals: Uint32Array;
  /** Of cold starts, in the order of a request; start and load are told by who starts instances, if nobody counts them there. */
  readonly phases: Readonly<Record<'queue' | 'start' | 'load' | 'infer', Histogram>>;
  connections: number;
}

export function createSharedMetrics(): SharedMetrics {
  return {
    refusals: new Uint32Array(REFUSAL_CODES.length),
    entryRefusals: new Uint32Array(ENTRY_REFUSALS.length),
    phases: {
      queue: new Histogram(COLD_START_BUCKETS),
      start: new Histogram(COLD_START_BUCKETS),
      load: new Histogram(COLD_START_BUCKETS),
      infer: new Histogram(COLD_START_BUCKETS),
    },
    connections: 0,
  };
}

export function countStart({ phases }: SharedMetrics, times: StartTimes): void {
  const { start, load } = secondsOfStart(times);
  phases.start.add(start);
  phases.load.add(load);
}

export function countRefusal(metrics: SharedMetrics, code: RefusalCode): void {
  metrics.refusals[REFUSAL_CODES.indexOf(code)]! += 1;
}

export function countEntryRefusal(metrics: SharedMetrics, reason: EntryRefusal): void {
  metrics.entryRefusals[ENTRY_REFUSALS.indexOf(reason)]! += 1;
}

/** A revision with its counters, where it was called at all; slots are leased before that. */
interface Counted {
  readonly gate: {
    readonly waiting: number;
    readonly bytes: number;
    readonly inFlight: number;
    readonly isLeased: boolean;
    readonly leasedSlots: number;
  };
  readonly model: { readonly routing: { readonly namespace: string; readonly name: string } };
  readonly routing: { readonly name: string };
  readonly metrics: RevisionMetrics | undefined;
}
interface Used extends Pick<Counted, 'gate'> {
  readonly metrics: RevisionMetrics;
}

/** Prometheus text of everything that the data plane counts. `heldBytes`: of its budget; `linked`: control is there. */
export function formatMetrics(
  routes: Iterable<Counted>,
  shared: SharedMetrics,
  { heldBytes, linked }: { heldBytes: number; linked: boolean },
): string {
  const revisions: Used[] = [];
  const leased: string[] = [];
  for (const route of routes) {
    const { gate, metrics } = route;
    if (metrics) revisions.push({ gate, metrics });
    if (gate.isLeased) leased.push(formatLeased(route));
  }
  return [
    ...introduce('rouse_requests_total'),
    ...revisions.flatMap((route) => formatCodes(route)),
    ...formatHistograms('rouse_request_duration_seconds', revisions, (m) => m.duration),
    ...formatHistograms('rouse_queue_wait_seconds', revisions, (m) => m.wait),
    ...introduce('rouse_cold_start_seconds'),
    ...Object.entries(shared.phases).flatMap(([phase, histogram]) =>
      histogram.format('rouse_cold_start_seconds', labelsOf({ phase })),
    ),
    ...introduce('rouse_cold_requests_total'),
    ...revisions.map(({ metrics }) =>
      sample('rouse_cold_requests_total', metrics.labels, metrics.coldRequests),
    ),
    ...introduce('rouse_shadow_requests_total'),
    ...revisions.flatMap(({ metrics }) => metrics.shadow?.formatOutcomes(metrics.labels) ?? []),
    ...introduce('rouse_shadow_duration_seconds'),
    ...revisions.flatMap(({ metrics }) => metrics.shadow?.formatTimes(metrics.labels) ?? []),
    ...introduce('rouse_queue_depth'),
    ...revisions.map((r) => sample('rouse_queue_depth', r.metrics.labels, r.gate.waiting)),
    ...introduce('rouse_queue_bytes'),
    ...revisions.map((r) => sample('rouse_queue_bytes', r.metrics.labels, r.gate.bytes)),
    ...introduce('rouse_requests_in_flight'),
    ...revisions.map((r) => sample('rouse_requests_in_flight', r.metrics.labels, r.gate.inFlight)),
    ...introduce('rouse_refusals_total'),
    ...REFUSAL_CODES.map((reason, i) =>
      sample('rouse_refusals_total', labelsOf({ reason }), shared.refusals[i] ?? 0),
    ),
    ...introduce('rouse_connection_refusals_total'),
    ...ENTRY_REFUSALS.map((reason, i) =>
      sample('rouse_connection_refusals_total', labelsOf({ reason }), shared.entryRefusals[i] ?? 0),
    ),
    ...introduce('rouse_client_connections'),
    sample('rouse_client_connections', '', shared.connections),
    ...introduce('rouse_held_bytes'),
    sample('rouse_held_bytes', '', heldBytes),
    ...introduce('rouse_leased_slots'),
    ...leased,
    ...introduce('rouse_control_linked'),
    sample('rouse_control_linked', '', linked ? 1 : 0),
    '',
  ].join('\n');
}

function introduce(name: keyof typeof FAMILIES): string[] {
  const [type, help] = FAMILIES[name];
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function formatLeased({ gate, metrics, model, routing }: Counted): string {
  const { namespace, name } = model.routing;
  const labels = metrics?.labels ?? labelsOf({ namespace, model: name, revision: routing.name });
  return sample('rouse_leased_slots', labels, gate.leasedSlots);
}

function formatCodes({ metrics }: Used): string[] {
  const lines: string[] = [];
  for (const [i, count] of metrics.codes.entries()) {
    if (count === 0) continue;
    const labels = `${metrics.labels},code="${i + FIRST_CODE}"`;
    lines.push(sample('rouse_requests_total', labels, count));
  }
  return lines;
}

function formatHistograms(
  name: keyof typeof FAMILIES,
  revisions: readonly Used[],
  select: (metrics: RevisionMetrics) => Histogram,
): string[] {
  return [
    ...introduce(name),
    ...revisions.flatMap(({ metrics }) => select(metrics).format(name, metrics.labels)),
  ];
}
