import { normalize } from 'node:path';
import {
  type BatchRequest,
  isEnded,
  isProgram,
  jobKey,
  type JobRecord,
  type JobRequest,
  jobSpec,
} from '#domain/job.ts';
import type { RunCheck } from '#domain/job-run.ts';
import { modelKey } from '#domain/names.ts';
import { parseDocument } from '#domain/parse.ts';
import type { ProgramRequest } from '#domain/program-job.ts';
import type { Actor } from '#domain/records.ts';
import { MAX_PAGE } from '#domain/page.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault, formatProblem } from '#lib/fault.ts';
import type { Catalog, ModelEntry } from '../records/catalog.ts';
import { requireModel } from '../records/checks.ts';
import { checkJob } from '../jobs/check.ts';
import type { JobRunner } from '../jobs/job-runner.ts';
import type { Jobs, JobShown } from '../jobs/jobs.ts';
import type { Places } from '../jobs/places.ts';
import type { ProgramRunner } from '../jobs/program-runner.ts';
import { makeOrder } from '../jobs/program-work.ts';
import { requireRole } from '../roles.ts';
import { createSeats, type Turns } from '../records/turns.ts';
import type { ArtifactKeys } from './artifact-keys.ts';
import { pageOf } from './page-of.ts';
import type { UseCases } from './usecases.ts';

export type JobUseCases = Pick<
  UseCases,
  | 'createJob'
  | 'tryJob'
  | 'getJob'
  | 'listJobs'
  | 'actOnJob'
  | 'deleteJob'
  | 'jobLogs'
  | 'watchJob'
  | 'takeOutput'
>;

/** Waiting ones, too: each has a model of its own. */
const MAX_OPEN = 1000;
/** Of the model's name, in that of the job and its own model: all of it has to fit into a host name. */
const NAME_CHARS = 40;
/** So many rows say what the answers look like. */
const TRIED_ROWS = 5;
/** Inputs that are looked at at once, each by a process of about a hundred megabytes; and dry runs. */
const MOST_LOOKED_AT = 4;

/** A job has the server read and write files as its user: as whoever deploys a program can, too. */
const ROLE = 'deploy';

export const NO_BATCHES =
  'batch jobs need a folder for their files: on Knative, serve with --knative-batch-folder';
export const NO_PROGRAMS = 'programs cannot be run here';

export interface JobParts {
  readonly jobs: Jobs;
  readonly runner?: JobRunner | undefined;
  readonly programs?: ProgramRunner | undefined;
  readonly places: Places;
  /** Pods that may score a job side by side; 1: none can, a job is one process. */
  readonly mostShards: number;
  /** Letters and digits, each time others. */
  readonly newId: () => string;
}

export function createJobUseCases(
  options: { catalog: Catalog; artifactKeys: ArtifactKeys; clock: Clock; alone: Turns },
  parts: JobParts | undefined,
): JobUseCases {
  const { catalog, artifactKeys, clock, alone } = options;
  const looks = createSeats(MOST_LOOKED_AT);
  /** Apart: how long one takes is up to its model, which may never answer. */
  const dryRuns = createSeats(MOST_LOOKED_AT);

  function need(): JobParts {
    if (parts) return parts;
    throw new Fault('not_implemented', NO_BATCHES);
  }

  function needBatches(): LookParts {
    const { runner, places } = need();
    if (runner) return { runner, places };
    throw new Fault('not_implemented', NO_BATCHES);
  }

  function find(namespace: string, id: string): JobShown {
    const found = need().jobs.get(jobKey(namespace, id));
    if (!found) throw new Fault('not_found', `there is no job ${namespace}/${id}`);
    return found;
  }

  function plan(actor: Actor, namespace: string, input: JobRequest, id?: string): JobRecord {
    requireRole(actor, ROLE);
    parseDocument(jobSpec, input, 'job');
    checkOpen(input);
    const common = {
      id: id ?? `${(input.model ?? 'program').slice(0, NAME_CHARS)}-${need().newId()}`,
      namespace,
      state: 'Pending' as const,
      reason: 'waits for its turn',
      createdAt: clock.now(),
      createdBy: actor,
    };
    if (input.kind === 'program') {
      const parent = parentOf(namespace, input);
      return { ...common, spec: input, ...(parent && { parent }), attempts: 0, failures: 0 };
    }
    needBatches();
    checkShards(input);
    const revision = pickRevision(requireModel(catalog, namespace, input.model), input);
    const nothing = { rows: { done: 0, failed: 0 }, instanceSeconds: 0 };
    return { ...common, spec: input, revision, ...nothing };
  }

  function parentOf(namespace: string, { model, parent }: ProgramRequest): string | undefined {
    if (model === undefined) return undefined;
    const entry = requireModel(catalog, namespace, model);
    return pickRevision(entry, { model, revision: parent });
  }

  function checkOpen(request: JobRequest): void {
    const open = need()
      .jobs.all()
      .filter(({ value }) => !isEnded(value.state));
    if (open.length >= MAX_OPEN) {
      throw new Fault('conflict', `${MAX_OPEN} jobs wait or run, which is the limit`);
    }
    if (request.kind === 'program') return;
    const path = normalize(request.output.path);
    const other = open.find(
      ({ value: { spec } }) => spec.kind !== 'program' && normalize(spec.output.path) === path,
    );
    if (other) throw new Fault('conflict', `job ${other.value.id} is to write ${path}`);
  }

  function checkShards({ shards = 1 }: BatchRequest): void {
    const { mostShards } = need();
    if (shards <= mostShards) return;
    const expected =
      mostShards > 1
        ? `at most ${mostShards}`
        : 'none: shards are pods, where Rouse is served with --knative-batch-claim';
    const problem = { key: 'shards', value: String(shards), expected };
    throw new Fault('invalid', formatProblem(problem), { problems: [problem] });
  }

  async function check(record: JobRecord): Promise<void> {
    if (isProgram(record)) {
      await requirePrograms(need()).check(makeOrder(catalog, record));
    } else if (record.spec.input.location.startsWith('/')) {
      // What has to be fetched is looked at by the job itself: that may take its time.
      await looks(() => checkJob(needBatches(), record, 0));
    }
  }

  return {
    async createJob(actor, namespace, request, id) {
      const { jobs } = need();
      if (id !== undefined && jobs.get(jobKey(namespace, id))) return find(namespace, id);
      const record = plan(actor, namespace, request, id);
      await check(record);
      return await alone(async () => {
        checkOpen(request);
        await jobs.create(record, actor);
        return find(namespace, record.id);
      });
    },
    async tryJob(actor, namespace, request): Promise<RunCheck> {
      const record = plan(actor, namespace, request);
      if (!isProgram(record))
        return await dryRuns(() => checkJob(needBatches(), record, TRIED_ROWS));
      throw new Fault('conflict', 'a program has no dry run: it is looked at when the job is made');
    },
    async getJob(actor, namespace, id) {
      requireRole(actor, 'read');
      return find(namespace, id);
    },
    async listJobs(actor, namespace, page) {
      requireRole(actor, 'read');
      return pageOf(parts?.jobs.all() ?? [], ({ key }) => key, namespace, page);
    },
    async actOnJob(actor, namespace, id, action) {
      requireRole(actor, ROLE);
      const { key } = find(namespace, id);
      await need().jobs.happened(key, { kind: 'asked', action, actor });
      return find(namespace, id);
    },
    async deleteJob(actor, namespace, id) {
      requireRole(actor, ROLE);
      const by = { actor, why: `deleted by ${actor.id}` };
      await need().jobs.remove(find(namespace, id).key, by);
    },
    async jobLogs(actor, namespace, id, limit) {
      requireRole(actor, 'read');
      const { value } = find(namespace, id);
      if (!isProgram(value)) {
        const { path } = value.spec.output;
        throw new Fault(
          'conflict',
          `job ${id} is a batch: rows that failed are in ${path}.failed.jsonl`,
        );
      }
      return await requirePrograms(need()).logs(value, Math.min(limit, MAX_PAGE));
    },
    async takeOutput(key, { namespace, id, attempt }, content) {
      if (!artifactKeys.isOutputKeyOf(key, { namespace, id, attempt })) {
        throw new Fault('unauthorized', `this key is not that of attempt ${attempt} of job ${id}`);
      }
      const { value } = find(namespace, id);
      const { take } = requirePrograms(need());
      if (take && isProgram(value) && value.state === 'Running' && value.attempts === attempt) {
        return await take(content);
      }
      throw new Fault('conflict', `job ${id} does not wait for what attempt ${attempt} has left`);
    },
    watchJob(actor, namespace, id, listener, signal) {
      requireRole(actor, 'read');
      need().jobs.watch(find(namespace, id).key, listener, signal);
    },
  };
}

type LookParts = Parameters<typeof checkJob>[0];

function requirePrograms({ programs }: JobParts): ProgramRunner {
  if (programs) return programs;
  throw new Fault('not_implemented', NO_PROGRAMS);
}

/** The one that was named, or that with most of the traffic. */
function pickRevision(
  entry: ModelEntry,
  { revision, model }: { readonly revision?: string | undefined; readonly model: string },
): string {
  if (entry.stored.value.job !== undefined) {
    throw new Fault('conflict', `model ${model} belongs to job ${entry.stored.value.job}`);
  }
  const [most] = entry.resolved.targets.toSorted((a, b) => b.percent - a.percent);
  const name = revision ?? most?.revision;
  if (name === undefined) {
    throw new Fault('conflict', `model ${modelKey(entry.namespace, model)} has no ready revision`);
  }
  const record = entry.revisions.get(name)?.value;
  if (record?.state === 'Ready') return name;
  const names = [...entry.revisions.keys()].join(', ');
  throw record
    ? new Fault('conflict', `revision ${name} of model ${model} is ${record.state}`)
    : new Fault('not_found', `model ${model} has no revision ${name}, but ${names}`);
}
