import { formatHead, type ReportHead } from '../measure/report.ts';
import type { LoopDelay } from '../measure/rouse.ts';
import { formatTable } from '#lib/table.ts';
import type { Held } from './held.ts';
import type { Loop } from './loop.ts';
import { RATE, type Surge } from './surge.ts';
import { LONGEST_MS, PLACES, type Swap } from './swap.ts';

const KIB = 1024;

/** What the JSON file holds; a part that was not asked for is absent. */
export interface Report extends ReportHead<'burst'> {
  readonly held?: Held;
  readonly surge?: Surge;
  readonly loop?: Loop;
  readonly swap?: Swap;
}

export function countFailed({ held, surge, swap }: Report): number {
  const lost = held === undefined ? 0 : held.requests - held.answered + held.disorder.length;
  return lost + (surge?.failed ?? 0) + (swap?.lost.length ?? 0);
}

export function formatReport(report: Report): string {
  const { held, surge, loop, swap } = report;
  const rows = [...heldRows(held), ...surgeRows(surge), ...loopRows(loop), ...swapRows(swap)];
  return [formatHead(report), formatTable(['burst', 'measured', 'goal'], rows)].join('\n\n');
}

function heldRows(held: Held | undefined): string[][] {
  if (held === undefined) return [];
  const own = held.heapBytes - held.bodyBytes;
  return [
    [`held for one cold model: answered of ${held.requests}`, String(held.answered), 'all'],
    ['answered out of order', String(held.disorder.length), '0'],
    ['heap per held request, its body apart, KiB', (own / KIB).toFixed(2), '≤ 2'],
    ['from the release to the last answer, s', (held.drainMs / 1000).toFixed(2), ''],
  ];
}

function surgeRows(surge: Surge | undefined): string[][] {
  if (surge === undefined) return [];
  const { requests, failed, p50Ms, p99Ms, maxMs } = surge;
  const latencies = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(0)).join(' / ');
  return [
    [`0 → ${RATE}/s at a 100 ms model: failed of ${requests}`, String(failed), '0'],
    ['latency p50 / p99 / max, ms', latencies, ''],
    ['instances at the end', String(surge.instances), ''],
  ];
}

function loopRows(loop: Loop | undefined): string[][] {
  if (loop === undefined) return [];
  const { models, atRest, atWork } = loop;
  return [
    ['data plane loop delay at rest, p99 / max, ms', show(atRest), ''],
    [`while control has ${models} models to do`, show(atWork), 'max ≤ 20'],
  ];
}

function swapRows(swap: Swap | undefined): string[][] {
  if (swap === undefined) return [];
  const { models, requests, answered, starts, startsInOrder, overtaken, waits } = swap;
  const seconds = [waits.p50Ms, waits.p99Ms, waits.maxMs].map((ms) => (ms / 1000).toFixed(1));
  return [
    [
      `${models} models at once where ${PLACES} fit: answered of ${requests}`,
      String(answered),
      'all',
    ],
    ['starts', String(starts), ''],
    ['starts if all were served in the order in which they came', String(startsInOrder), ''],
    ['fewer by a factor of', (startsInOrder / starts).toFixed(1), '≥ 2'],
    ['models that came later and were served first, most', String(overtaken), `≤ ${PLACES}`],
    ['until answered p50 / p99 / max, s', seconds.join(' / '), `≤ ${LONGEST_MS / 1000}`],
  ];
}

function show({ p99Ms, maxMs }: LoopDelay): string {
  return `${p99Ms.toFixed(1)} / ${maxMs.toFixed(1)}`;
}
