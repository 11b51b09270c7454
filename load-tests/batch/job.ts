import { isEnded, type JobAction } from '#domain/job.ts';
import { type BatchAnswer, readBatch } from '#domain/read-views.ts';
import type { Rouse } from '../measure/rouse.ts';
import { until } from '../measure/until.ts';

/** The sample that is asked by all. */
export const MODEL = 'digits';
const LOOK_MS = 200;
/** Where it is about the moment when something was told. */
const NEWS_MS = 20;
/** Longer than any job takes here. */
const LONGEST_MS = 4 * 60 * 60_000;

export interface Job {
  readonly id: string;
  get(): Promise<BatchAnswer>;
  act(action: JobAction): Promise<void>;
  /** Looks until it fits; throws when the job has ended and does not. */
  until(fits: (job: BatchAnswer) => boolean, everyMs?: number): Promise<BatchAnswer>;
  /** It is cancelled, and nothing of it runs any more. */
  cancel(): Promise<void>;
}

export async function startJob({ control }: Rouse, input: string, output: string): Promise<Job> {
  const jobs = `${control}/api/v1/namespaces/default/jobs`;
  const made = await ask(jobs, {
    model: MODEL,
    input: { location: input },
    output: { path: output, columns: ['id'] },
    map: { image: ['p*'] },
  });
  const path = `${jobs}/${made.id}`;

  const job: Job = {
    id: made.id,
    get: () => ask(path),
    act: async (action) => void (await ask(path, { action })),
    async until(fits, everyMs = LOOK_MS) {
      let seen = made;
      await until({ everyMs, withinMs: LONGEST_MS }, async () => {
        seen = await ask(path);
        if (fits(seen)) return undefined;
        if (isEnded(seen.state)) throw new Error(`job ${seen.id} is ${seen.state}: ${seen.reason}`);
        return `job ${seen.id} stays ${seen.state} at ${seen.rows.done} rows`;
      });
      return seen;
    },
    async cancel() {
      await job.act('cancel');
      await job.until(({ state }) => isEnded(state));
    },
  };
  return job;
}

async function ask(url: string, body?: object): Promise<BatchAnswer> {
  const response = await fetch(url, {
    ...(body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return readBatch(JSON.parse(text));
}

/** Rows that are done, at the moment when that is told: twice a second. In between nobody knows. */
export async function hearRows(job: Job): Promise<number> {
  const before = await job.get();
  const { rows } = await job.until((now) => now.rows.done > before.rows.done, NEWS_MS);
  return rows.done;
}

/** Rows per second of a job that runs, over so many seconds. */
export async function rateOf(job: Job, during: Promise<unknown>): Promise<number> {
  const [before, since] = [await hearRows(job), performance.now()];
  await during;
  const [after, now] = [await hearRows(job), performance.now()];
  return ((after - before) * 1000) / (now - since);
}
