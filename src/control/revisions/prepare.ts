import type { ArtifactRef, RevisionRecord } from '#domain/records.ts';
import type { Clock } from '#lib/clock.ts';
import { FAULTS, Fault } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Runtime, Workload } from '#runtime/runtime.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { decideBackoff } from '#policies/backoff.ts';
import type { Autoscaler } from '../autoscaling/autoscaler.ts';
import type { Catalog } from '../records/catalog.ts';
import { workloadOf } from '../records/facts.ts';
import { fetchSource } from './fetch.ts';
import type { Journal } from '../records/journal.ts';
import { isSuperseded, updateRevision } from '../revision-update.ts';
import { isFetched } from '../records/source.ts';
import { abortable, wait } from '../wait.ts';

export interface PrepareOptions {
  catalog: Catalog;
  journal: Journal;
  artifacts: Artifacts;
  runtime: Runtime;
  clock: Clock;
  log: Log;
  autoscaler: Pick<Autoscaler, 'prove' | 'dismiss' | 'waitingSince'>;
}

/** Attempts at what may heal by itself: an address that does not answer, a full disk. About a minute in all. */
const ATTEMPTS = 6;

type Identity = Parameters<typeof updateRevision>[1];

/** Fetches, inspects and prepares; the record, now Proving, or undefined when it has Failed. */
export async function prepareRevision(
  options: PrepareOptions,
  identity: Identity,
  record: RevisionRecord,
  signal: AbortSignal,
): Promise<RevisionRecord | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await prepareOnce(options, identity, record, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault) || isSuperseded(error)) throw error;
      const { message } = error;
      const last = attempt === ATTEMPTS || !FAULTS[error.code].retryable;
      if (last) {
        await updateRevision(
          options,
          identity,
          { state: 'Failed', reason: message },
          'RevisionFailed',
        );
        return undefined;
      }
      const pause = decideBackoff(attempt);
      const reason = `${message} (${pause.why})`;
      await updateRevision(options, identity, { reason }, 'RevisionDelayed');
      await wait(options.clock, pause.decision, signal);
    }
  }
}

async function prepareOnce(
  options: PrepareOptions,
  identity: Identity,
  record: RevisionRecord,
  signal: AbortSignal,
): Promise<RevisionRecord> {
  const { runtime, autoscaler } = options;
  const artifact = await findArtifact(options, record, signal);
  const found: RevisionRecord = { ...record, ...(artifact && { artifact }) };
  const workload = await abortable(inspect(runtime, workloadOf(found)), signal);
  const preparing = runtime.prepare(workload);
  try {
    await abortable(preparing, signal);
  } catch (error) {
    // Nobody waits for it any more: what it leaves running goes when it is done.
    if (signal.aborted) preparing.then(() => autoscaler.dismiss(workload)).catch(() => undefined);
    throw error;
  }
  const { inspection } = workload;
  const kept = { ...(artifact && { artifact }), ...(inspection && { inspection }) };
  const reason = 'prepared; it has to become ready once';
  if (record.state === 'Proving') return await updateRevision(options, identity, kept);
  const change = { ...kept, state: 'Proving', reason } as const;
  return await updateRevision(options, identity, change, 'RevisionProving');
}

async function findArtifact(
  { artifacts, clock }: PrepareOptions,
  record: RevisionRecord,
  signal: AbortSignal,
): Promise<ArtifactRef | undefined> {
  if (record.artifact || !isFetched(record.spec)) return record.artifact;
  return await fetchSource(record.spec.source ?? '', { artifacts, clock, signal });
}

/** Only ONNX files say something about themselves; the others are taken as they are. */
async function inspect(runtime: Runtime, workload: Workload): Promise<Workload> {
  if (workload.spec.runtime !== 'onnx' || workload.inspection) return workload;
  return { ...workload, inspection: await runtime.inspect(workload) };
}
