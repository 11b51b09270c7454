import type { Awake } from './awake.ts';
import type { Figure } from '../measure/figures.ts';
import type { Machine } from '../measure/machine.ts';
import { formatTable } from '#lib/table.ts';
import { formatFigure } from '../measure/table.ts';
import type { Learned } from './learned.ts';
import type { CpuRates, Rest } from './rest.ts';
import type { Routing } from './routing.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What the JSON file holds. */
export interface Report {
  readonly benchmark: 'scale';
  readonly at: string;
  readonly versions: { readonly rouse: string; readonly node: string };
  readonly machine: Omit<Machine, 'noisy'>;
  readonly noisy: boolean;
  readonly server: string;
  readonly registeredMs: Readonly<Record<string, number>>;
  readonly rest: readonly Rest[];
  readonly routing: readonly Routing[];
  readonly awake: readonly Awake[];
  readonly learned: readonly Learned[];
  readonly ratios: Ratios;
  readonly errors: number;
}

/** What the goals are about. */
export interface Ratios {
  readonly startMs: number;
  /** Slopes from none to all models, bytes. */
  readonly rssPerModel: number;
  readonly settledRssPerModel: number;
  readonly heapPerModel: number;
  readonly warmCpu: number;
  readonly warmLatency: number;
  /** CPU of the idle process with all models over that with none. */
  readonly idleCpu: number;
  /** CPU with the same models awake, among all over among themselves. */
  readonly awakeCpu: number;
  /** What a model leaves behind that was awake once, bytes of heap. */
  readonly heapPerAwakened: number;
}

export function summarise(
  rest: readonly Rest[],
  routing: readonly Routing[],
  awake: readonly Awake[],
): Ratios {
  const [none, all] = [rest[0], rest.at(-1)];
  const [few, many] = [awake[0], awake.at(-1)];
  if (!none || !all || !few || !many) throw new Error('nothing was measured');
  const slope = (of: (each: Rest) => Figure): number =>
    (of(all).median - of(none).median) / (all.models - none.models);
  return {
    startMs: all.startMs.median,
    rssPerModel: slope((each) => each.rssBytes),
    settledRssPerModel: slope((each) => each.settledRssBytes),
    heapPerModel: slope((each) => each.heapBytes),
    warmCpu: routing[0]?.cpuMicros.ratio.median ?? 0,
    warmLatency: routing[0]?.latencyMs.ratio.median ?? 0,
    idleCpu: all.cpu.all.median / none.cpu.all.median,
    awakeCpu: many.cpuAwake.all / few.cpuAwake.all,
    heapPerAwakened: (many.heapBytes.after - many.heapBytes.before) / many.called,
  };
}

export function formatReport(report: Report): string {
  const { rest, routing, awake, learned, ratios, machine, versions } = report;
  return [
    `Rouse ${versions.rouse}, Node ${versions.node}, ${machine.cores} cores (${machine.cpu}), models run ${report.server}`,
    `load at the start ${machine.loadAtStart.toFixed(2)}${report.noisy ? ': NOISY, other programs were running' : ''}`,
    formatTable(
      ['all models asleep', ...rest.map((each) => `${each.models} models`)],
      [
        ['start until ready, ms', ...rest.map((each) => formatFigure(each.startMs))],
        ['start until /healthz, ms', ...rest.map((each) => formatFigure(each.healthyMs))],
        ['RSS at rest, MiB', ...rest.map((each) => formatFigure(each.rssBytes, MIB))],
        [
          'RSS, garbage collected, MiB',
          ...rest.map((each) => formatFigure(each.settledRssBytes, MIB)),
        ],
        ['heap of both threads, MiB', ...rest.map((each) => formatFigure(each.heapBytes, MIB))],
        ['CPU, ms per second', ...rest.map((each) => formatFigure(each.cpu.all, 1, 2))],
        ['  data plane thread', ...rest.map((each) => formatFigure(each.cpu.plane, 1, 2))],
        ['  control thread', ...rest.map((each) => formatFigure(each.cpu.control, 1, 2))],
      ],
    ),
    formatTable(
      ['routing', '1 model', `${rest.at(-1)?.models} models`, 'ratio'],
      routing.flatMap(({ what, cpuMicros, latencyMs }) => [
        [what, '', '', ''],
        ['  CPU of the data plane, µs', ...three(cpuMicros, 1)],
        ['  latency p50, ms', ...three(latencyMs, 2)],
      ]),
    ),
    formatTable(
      ['waking', ...awake.map((each) => `${each.called} of ${each.models}`)],
      [
        ['until all have answered, s', ...awake.map((each) => (each.wakeMs / 1000).toFixed(2))],
        ['latency p50 / p95 / p99, ms', ...awake.map((each) => latencies(each))],
        ['errors', ...awake.map((each) => String(each.errors.length))],
        ['instances while idle', ...awake.map((each) => String(each.instances))],
        ['CPU before, ms per second', ...awake.map((each) => rates(each.cpuBefore))],
        ['CPU awake and idle', ...awake.map((each) => rates(each.cpuAwake))],
        ['CPU asleep again', ...awake.map((each) => rates(each.cpuAfter))],
        ['until all sleep again, s', ...awake.map((each) => (each.sleepMs / 1000).toFixed(1))],
      ],
    ),
    formatTable(
      ['all asleep, planned for', ...learned.map(describeLearned)],
      [
        ['start until ready, ms', ...learned.map(({ startMs }) => startMs.toFixed(0))],
        ['CPU, ms per second', ...learned.map(({ cpu }) => rates(cpu))],
      ],
    ),
    formatTable(
      ['goals', 'measured', 'goal'],
      [
        ['start, ms', ratios.startMs.toFixed(0), '≤ 2000'],
        ['RSS per sleeping model, KiB', (ratios.rssPerModel / KIB).toFixed(1), '≤ 10'],
        ['  garbage collected', (ratios.settledRssPerModel / KIB).toFixed(1), '≤ 10'],
        ['heap per sleeping model, KiB', (ratios.heapPerModel / KIB).toFixed(1), '≤ 10'],
        ['heap left per model once awake, KiB', (ratios.heapPerAwakened / KIB).toFixed(1), ''],
        ['warm request: CPU, all / 1 model', ratios.warmCpu.toFixed(2), 'about 1'],
        ['warm request: latency, all / 1 model', ratios.warmLatency.toFixed(2), 'about 1'],
        ['idle CPU, all asleep / no models', ratios.idleCpu.toFixed(2), 'about 1'],
        ['CPU with as many awake, all / just these', ratios.awakeCpu.toFixed(2), 'about 1'],
        ['failed requests', String(report.errors), '0'],
      ],
    ),
  ].join('\n\n');
}

function describeLearned({ models, askedWithinMinutes }: Learned): string {
  return `${models} models asked within ${askedWithinMinutes} minutes`;
}

function three(
  { one, many, ratio }: { one: Figure; many: Figure; ratio: Figure },
  digits: number,
): string[] {
  return [formatFigure(one, 1, digits), formatFigure(many, 1, digits), formatFigure(ratio, 1, 2)];
}

function latencies({ latencyMs: { p50, p95, p99 } }: Awake): string {
  return [p50, p95, p99].map((value) => value.toFixed(0)).join(' / ');
}

function rates({ all, plane, control }: CpuRates): string {
  return `${all.toFixed(1)} (${plane.toFixed(1)} + ${control.toFixed(1)})`;
}
