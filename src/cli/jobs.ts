import { isEnded, type JobProgress } from '#domain/job.ts';
import { type BatchAnswer, type JobAnswer, readJob, readJobs } from '#domain/read-views.ts';
import { formatDuration } from '#domain/units.ts';
import { type Client, namespacePath } from './client.ts';
import { type Io, pause } from './io.ts';
import { listAll } from './pages.ts';
import { formatAge } from './print.ts';

/** Jobs, as commands speak of them. */

const LOOK_MS = 500;
const PAGE = 1000;
/** Of a bar, in characters. */
const BAR = 24;
const CLEAR_LINE = '\r\u001b[2K';

export function jobPath(namespace: string, ...parts: readonly string[]): string {
  return namespacePath(namespace, 'jobs', ...parts);
}

/** `namespace`: of this one; undefined: of all. The newest first. */
export async function listJobs(
  client: Client,
  namespace: string | undefined,
): Promise<JobAnswer[]> {
  const path = namespace === undefined ? '/api/v1/jobs' : jobPath(namespace);
  const jobs = await listAll(client, { path, query: { limit: PAGE } }, readJobs);
  return jobs.toSorted((a, b) => b.createdAt - a.createdAt);
}

export function makeJobRows(
  jobs: readonly JobAnswer[],
  namespace: string | undefined,
  now: number,
): string[][] {
  const first = (cell: string): string[] => (namespace === undefined ? [cell] : []);
  const rows = jobs.map((job) => [
    ...first(job.namespace),
    job.id,
    job.spec.model ?? '-',
    revisionOf(job) ?? '-',
    job.state,
    ...(isBatch(job) ? [formatDone(job), String(job.rows.failed)] : ['-', '-']),
    formatAge(now, job.createdAt),
    job.reason.split('\n')[0] ?? '',
  ]);
  const head = ['ID', 'MODEL', 'REVISION', 'STATE', 'ROWS', 'FAILED', 'AGE', 'REASON'];
  return [[...first('NAMESPACE'), ...head], ...rows];
}

export function isBatch(job: JobAnswer): job is BatchAnswer {
  return job.spec.kind !== 'program';
}

/** That scores the rows, or that was made. */
function revisionOf(job: JobAnswer): string | undefined {
  return isBatch(job) ? job.revision : job.report?.revision;
}

function formatDone({ rows: { done, total } }: BatchAnswer): string {
  return total === undefined || total === done ? String(done) : `${done}/${total}`;
}

/** Shows a job on a terminal until it has ended, or the signal ends the looking; it goes on then. */
export async function followJob(
  client: Client,
  job: JobAnswer,
  io: Pick<Io, 'clock' | 'signal' | 'stderr'>,
): Promise<JobAnswer> {
  const isTerminal = io.stderr.isTTY === true;
  const path = jobPath(job.namespace, job.id);
  let seen = job;
  for (;;) {
    if (isTerminal) io.stderr.write(CLEAR_LINE + formatState(seen, io.clock.now()));
    if (isEnded(seen.state) || io.signal.aborted) break;
    await pause(io, LOOK_MS);
    if (!io.signal.aborted) seen = await client.call({ path }, readJob);
  }
  if (isTerminal) io.stderr.write(isEnded(seen.state) ? CLEAR_LINE : '\n');
  return seen;
}

function formatState(job: JobAnswer, now: number): string {
  const [reason = ''] = job.reason.split('\n');
  if (isBatch(job) && job.progress) return formatProgress(job, job.progress);
  const since =
    isBatch(job) || job.startedAt === undefined ? '' : ` for ${formatAge(now, job.startedAt)}`;
  return `${job.state}${since}: ${reason}`;
}

/** `████████░░░░ 41 %  410000/1000000 rows  52100/s  2 instances  3 failed  12s left`; `about` what is estimated. */
function formatProgress({ rows }: BatchAnswer, progress: JobProgress): string {
  const { rowsPerSecond, instances, etaSeconds, fraction } = progress;
  const { done, total, failed } = rows;
  const about = total === undefined ? 'about ' : '';
  return [
    ...(fraction === undefined
      ? []
      : [`${makeBar(fraction)} ${about}${Math.floor(fraction * 100)} %`]),
    `${total === undefined ? done : `${done}/${total}`} rows`,
    `${Math.round(rowsPerSecond)}/s`,
    `${instances} instance${instances === 1 ? '' : 's'}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(etaSeconds === undefined ? [] : [`${about}${formatDuration(etaSeconds * 1000)} left`]),
  ].join('  ');
}

function makeBar(share: number): string {
  const full = Math.min(BAR, Math.round(share * BAR));
  return '█'.repeat(full) + '░'.repeat(BAR - full);
}
