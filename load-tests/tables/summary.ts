import { formatGoal, goalOf } from '../cold/goals.ts';
import type { Report as ColdReport } from '../cold/report.ts';
import { formatTable } from '#lib/table.ts';
import { formatFigure } from '../measure/table.ts';
import type { PeerRow } from '../proxy/closed-loop.ts';
import { formatGoals, P99_GOAL } from '../proxy/goals.ts';
import type { Report as ProxyReport } from '../proxy/report.ts';

/** Rows, for readers who do not know the benchmarks. */
const WORDS: Readonly<Record<string, string>> = {
  'get-32': 'GET, 32 connections',
  'post-1k-32': 'POST of 1 KiB, 32 connections',
  'get-128': 'GET, 128 connections',
  'post-100k-32': 'POST of 100 KiB, 32 connections',
  'stream-50-32': 'answer in 50 pieces, 32 connections',
  c: 'program in C',
  command: 'program in Node',
  python: 'python model',
  function: 'function',
  onnx: 'onnx model',
  'python-pool': 'python model, from the pool',
  'function-pool': 'function, from the pool',
  'onnx-pool': 'onnx model, from the pool',
  'command-parked': 'program, frozen',
  'onnx-parked': 'onnx model, frozen, with its inference',
  'onnx-paged': 'onnx model, frozen and paged out',
  'large-paged': 'program of 128 MiB, frozen and paged out',
};

/** For the README of the project: the warm path as ratios to HAProxy and Go, losses too. */
export function summariseProxy({ rows, openLoop }: ProxyReport): string {
  const closed = rows.map(({ name, peers }) => rowOf(name, peers));
  const open = openLoop.find(({ peer }) => peer === 'rouse')?.p99ToHaproxy;
  return [
    formatTable(
      ['', 'CPU µs', "CPU / HAProxy's", "CPU / Go's", "requests/s / HAProxy's", 'goals, met?'],
      closed,
    ),
    ...(open
      ? [
          `p99 at 1,000 requests/s, open loop: ${formatFigure(open, 1, 2)} × HAProxy's; ` +
            `goal ≤ ${P99_GOAL}: ${open.median <= P99_GOAL ? 'yes' : 'no'}.`,
        ]
      : []),
  ].join('\n\n');
}

function rowOf(name: string, peers: readonly PeerRow[]): string[] {
  const own = peers.find(({ peer }) => peer === 'rouse');
  if (!own) return [WORDS[name] ?? name];
  const { cpuMicros, perSecond } = own;
  const ratios = [cpuMicros.to.haproxy, cpuMicros.to.go, perSecond.to.haproxy];
  return [
    WORDS[name] ?? name,
    cpuMicros.median.toFixed(1),
    ...ratios.map((ratio) => (ratio ? formatFigure(ratio, 1, 2) : '')),
    formatGoals(name, own),
  ];
}

export function summariseCold({ rows }: ColdReport): string {
  return formatTable(
    ['', 'Rouse ms', 'bare loop ms', 'overhead ms', 'goal, met?'],
    rows.map((cold) => [
      WORDS[cold.row] ?? cold.row,
      cold.rouse.p50.toFixed(1),
      cold.floor.p50.toFixed(1),
      cold.overhead.p50.toFixed(1),
      formatGoal(goalOf(cold)),
    ]),
  );
}
