import type { JobReport, JobRows } from '#domain/job.ts';
import { LATENCY_BUCKETS, latencyBucket, latencyQuantile } from '#domain/latency.ts';
import {
  addOutput,
  addValues,
  beginOutput,
  makeDistribution,
  type OutputMemory,
} from './distribution.ts';
import type { Scored } from './score.ts';

/** What is told of a job at its end, counted while it runs. All of it is in `memory`, so that it survives a restart. */
export interface ReportBook {
  readonly memory: ReportMemory;
  request(rows: number, ms: number): void;
  retried(): void;
  scored(scored: Scored): void;
  ran(ms: number): void;
  report(rows: JobRows): Omit<JobReport, 'instanceSeconds'>;
}

/** Rows by the reason for which they failed. */
export type Failures = Readonly<Record<string, number>>;

export interface ReportMemory {
  seconds: number;
  requests: number;
  retries: number;
  /** Rows of all requests. */
  sent: number;
  readonly latencies: number[];
  longest: number;
  readonly failures: Record<string, number>;
  readonly outputs: OutputMemory[];
}

/** Reasons that are told apart; all others are one. */
const MOST_REASONS = 50;
const OTHER = 'other reasons';

export function createReportBook(before: ReportMemory | undefined): ReportBook {
  const memory = before ?? beginMemory();

  return {
    memory,
    request(rows, ms) {
      memory.requests++;
      memory.sent += rows;
      const bucket = latencyBucket(ms);
      memory.latencies[bucket] = (memory.latencies[bucket] ?? 0) + 1;
      memory.longest = Math.max(memory.longest, ms);
    },
    retried: () => void memory.retries++,
    scored({ columns = [], failed }) {
      for (const column of columns) addValues(outputOf(memory, column.name), column);
      for (const { reason } of failed) countFailures(memory.failures, reason, 1);
    },
    ran: (ms) => void (memory.seconds += ms / 1000),
    report(rows) {
      const { seconds, requests, retries, sent, latencies, longest, outputs } = memory;
      const quantile = (share: number): number =>
        Math.min(longest, latencyQuantile(latencies, share) ?? 0);
      return {
        rows,
        failures: sortFailures(memory.failures),
        seconds,
        rowsPerSecond: seconds > 0 ? rows.done / seconds : 0,
        requests,
        retries,
        latency: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99), max: longest },
        batchSize: requests > 0 ? sent / requests : 0,
        outputs: outputs.map(makeDistribution),
      };
    },
  };
}

/** The most frequent one of the reasons that are told apart. */
export function commonFailure(failures: Failures): string | undefined {
  return sortFailures(failures).find(({ reason }) => reason !== OTHER)?.reason;
}

/** Of what was done side by side: the most frequent ones are told apart, whoever of them was first. */
export function addFailures(all: readonly Failures[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [reason, rows] of all.flatMap((failures) => Object.entries(failures))) {
    sum[reason] = (sum[reason] ?? 0) + rows;
  }
  const told: Record<string, number> = {};
  for (const { reason, rows } of sortFailures(sum)) countFailures(told, reason, rows);
  return told;
}

/** Of all that was done side by side. */
export function mergeMemories(memories: readonly ReportMemory[]): ReportMemory {
  const merged: ReportMemory = {
    ...beginMemory(),
    failures: addFailures(memories.map(({ failures }) => failures)),
  };
  for (const memory of memories) {
    merged.seconds = Math.max(merged.seconds, memory.seconds);
    merged.requests += memory.requests;
    merged.retries += memory.retries;
    merged.sent += memory.sent;
    for (const [bucket, count] of memory.latencies.entries()) {
      merged.latencies[bucket] = (merged.latencies[bucket] ?? 0) + count;
    }
    merged.longest = Math.max(merged.longest, memory.longest);
    for (const output of memory.outputs) addOutput(outputOf(merged, output.name), output);
  }
  return merged;
}

function beginMemory(): ReportMemory {
  return {
    seconds: 0,
    requests: 0,
    retries: 0,
    sent: 0,
    latencies: Array.from({ length: LATENCY_BUCKETS }, () => 0),
    longest: 0,
    failures: {},
    outputs: [],
  };
}

function sortFailures(failures: Failures): JobReport['failures'] {
  return Object.entries(failures)
    .map(([reason, rows]) => ({ reason, rows }))
    .toSorted((a, b) => b.rows - a.rows);
}

function countFailures(failures: Record<string, number>, reason: string, rows: number): void {
  const isKnown = Object.hasOwn(failures, reason) || Object.keys(failures).length < MOST_REASONS;
  const name = isKnown ? reason : OTHER;
  failures[name] = (failures[name] ?? 0) + rows;
}

function outputOf(memory: ReportMemory, name: string): OutputMemory {
  const known = memory.outputs.find((output) => output.name === name);
  if (known) return known;
  const made = beginOutput(name);
  memory.outputs.push(made);
  return made;
}
