import { isEnded, type JobRequest } from '#domain/job.ts';
import { formatScores } from '#domain/measures.ts';
import {
  type BatchAnswer,
  type JobAnswer,
  type ProgramAnswer,
  readJob,
} from '#domain/read-views.ts';
import { formatDuration } from '#domain/units.ts';
import { formatSize } from '#domain/format-size.ts';
import { INTERRUPTED } from '#lib/exit-status.ts';
import type { Client } from './client.ts';
import type { Io } from './io.ts';
import { followJob, isBatch, jobPath } from './jobs.ts';
import { modelClientFor } from './models.ts';
import { clientFor, type Common, namespaceOf } from './options.ts';
import { suggest } from './suggest.ts';

/** Making a job, following it, and telling how it stands. */

type Options = Omit<Common, 'output'> & {
  readonly output: string;
  readonly json?: boolean;
  readonly detach?: boolean;
};

type Shown = { readonly json?: boolean; readonly output: string };

/** Reasons of failed rows that are told. */
const SHOWN_REASONS = 5;

export async function runJob(
  request: JobRequest,
  options: Options,
  io: Io,
  exit: { status: number },
): Promise<void> {
  const namespace = namespaceOf(options);
  const { model } = request;
  const asTable = { ...options, output: 'table' } as const;
  const client = model === undefined ? clientFor(io, asTable) : modelClientFor(io, asTable, model);
  const call = { method: 'POST', path: jobPath(namespace), json: request } as const;
  const job = await client.call(call, readJob);
  if (options.detach === true) {
    tellJob(job, options, io, exit);
    io.stderr.write(`Follow it with: ${suggestFor(client, job, 'follow')}\n`);
  } else await watchJob(client, job, options, io, exit);
}

/** Shows a job until its end, or until Ctrl-C: it goes on then, and the exit status says that its end was not seen. */
export async function watchJob(
  client: Client,
  job: JobAnswer,
  options: Shown,
  io: Io,
  exit: { status: number },
): Promise<void> {
  const seen = await followJob(client, job, io);
  tellJob(seen, options, io, exit);
  if (isEnded(seen.state)) return;
  exit.status = INTERRUPTED;
  io.stderr.write(`It goes on. Follow it with: ${suggestFor(client, job, 'follow')}\n`);
  io.stderr.write(`End it with: ${suggestFor(client, job, 'cancel')}\n`);
}

function suggestFor({ server }: Client, { id, namespace }: JobAnswer, action: string): string {
  return suggest(['job', action, id], { server, namespace });
}

/** How it stands, and an exit status that says whether it has failed. */
function tellJob(
  job: JobAnswer,
  options: Shown,
  { stdout }: Pick<Io, 'stdout'>,
  exit: { status: number },
): void {
  if (job.state === 'Failed' || job.state === 'Cancelled') exit.status = 1;
  const isJson = options.json === true || options.output === 'json';
  stdout.write(isJson ? `${JSON.stringify(job, undefined, 2)}\n` : formatJob(job));
}

function formatJob(job: JobAnswer): string {
  const more = isBatch(job) ? formatBatch(job) : formatProgram(job);
  return [`${job.id}  ${job.state}: ${job.reason}`, ...more, ''].join('\n');
}

function formatBatch({ rows, report, spec }: BatchAnswer): string[] {
  if (!report) return [];
  const { seconds, rowsPerSecond, batchSize, latency, instanceSeconds, failures } = report;
  const lines = [
    `  ${rows.done} rows in ${formatDuration(seconds * 1000)}, ${Math.round(rowsPerSecond)}/s, ` +
      `${Math.round(batchSize)} a request, p95 ${formatDuration(latency.p95)}, ` +
      `${instanceSeconds.toFixed(0)} instance-seconds`,
    `  output  ${spec.output.path}`,
  ];
  if (rows.failed > 0) lines.push(`  failed  ${spec.output.path}.failed.jsonl`);
  for (const { reason: why, rows: count } of failures.slice(0, SHOWN_REASONS)) {
    lines.push(`    ${count} × ${why}`);
  }
  return lines;
}

function formatProgram({ report, attempts, parent }: ProgramAnswer): string[] {
  if (!report) return [];
  const { seconds, cpuSeconds, memoryBytes, data, revision, metrics } = report;
  const lines = [
    [
      `  ${formatDuration(seconds * 1000)}`,
      ...(cpuSeconds === undefined ? [] : [`${cpuSeconds.toFixed(1)} s of CPU`]),
      ...(memoryBytes === undefined ? [] : [`${formatSize(memoryBytes)} of memory`]),
      `attempt ${attempts}`,
    ].join(', '),
  ];
  if (data) lines.push(`  data      sha256:${data.digest}`);
  if (revision !== undefined) lines.push(`  revision  ${revision}, from ${parent}`);
  const scores = formatScores(metrics);
  if (scores !== '') lines.push(`  metrics   ${scores}`);
  const others = formatScores(report.parent);
  if (others !== '') lines.push(`  ${parent}  ${others}`);
  return lines;
}
