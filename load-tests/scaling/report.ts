import { formatTable } from '#lib/table.ts';
import { GOAL, goodShare } from '#simulate/scaling/compare.ts';
import { formatHead, type ReportHead } from '../measure/report.ts';
import type { Played } from './live.ts';

/** What a target of concurrency came to on the shapes for tuning. */
export interface Tried extends Played {
  /** Requests at once for each instance. */
  readonly target: number;
}

interface Row {
  readonly shape: string;
  readonly byConcurrency: Played;
  readonly bySignals: Played;
}

/** What the JSON file holds. */
export interface Report extends ReportHead<'scaling'> {
  readonly faster: number;
  /** Of each shape. */
  readonly seconds: number;
  readonly sweep: readonly Tried[];
  /** The target of them that was chosen. */
  readonly target: number;
  readonly rows: readonly Row[];
}

export function addUpTried(target: number, all: readonly Played[]): Tried {
  return { target, ...addUp(all) };
}

/** Of those with enough good windows the cheapest; without any the one that has most. */
export function chooseTarget(sweep: readonly Tried[]): number {
  const good = sweep.filter((one) => goodShare(one) >= GOAL);
  const [best] =
    good.length > 0
      ? good.toSorted((a, b) => a.instanceSeconds - b.instanceSeconds)
      : sweep.toSorted((a, b) => goodShare(b) - goodShare(a));
  if (!best) throw new Error('no target was tried');
  return best.target;
}

function addUp(all: readonly Played[]): Played {
  const sum = (of: (one: Played) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  return {
    windows: sum((one) => one.windows),
    good: sum((one) => one.good),
    instanceSeconds: sum((one) => one.instanceSeconds),
    requests: sum((one) => one.requests),
    lost: sum((one) => one.lost),
  };
}

export function countLost({ sweep, rows }: Report): number {
  const played = [
    ...sweep,
    ...rows.flatMap(({ byConcurrency, bySignals }) => [byConcurrency, bySignals]),
  ];
  return addUp(played).lost;
}

export function formatReport(report: Report): string {
  const { sweep, rows, target } = report;
  const all: Row = {
    shape: 'all',
    byConcurrency: addUp(rows.map((row) => row.byConcurrency)),
    bySignals: addUp(rows.map((row) => row.bySignals)),
  };
  const tried = sweep.map((one) => [
    `${one.target}${one.target === target ? ' (chosen)' : ''}`,
    percent(one),
    one.instanceSeconds.toFixed(0),
  ]);
  const head = ['shape', 'requests', 'good', 'instance-s', 'good, signals', 'instance-s', 'ratio'];
  return [
    formatHead(report),
    formatTable(['at once, for each instance', 'good, tuning', 'instance-s'], tried),
    formatTable(head, [...rows, all].map(rowOf)),
    `Not answered: ${countLost(report)}.`,
  ].join('\n\n');
}

function rowOf({ shape, byConcurrency, bySignals }: Row): string[] {
  return [
    shape,
    String(bySignals.requests),
    percent(byConcurrency),
    byConcurrency.instanceSeconds.toFixed(0),
    percent(bySignals),
    bySignals.instanceSeconds.toFixed(0),
    (bySignals.instanceSeconds / byConcurrency.instanceSeconds).toFixed(2),
  ];
}

function percent(played: Played): string {
  return `${(goodShare(played) * 100).toFixed(1)} %`;
}
