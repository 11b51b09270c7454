import type { Inspection, RevisionRecord } from '#domain/records.ts';
import { modelKey, modelOf } from '#domain/names.ts';
import type { Instance, RuntimeEvent } from '#runtime/runtime.ts';
import { formatDuration } from '#domain/units.ts';
import { specOf } from '../records/facts.ts';
import { FAILED_STARTS, describeFailure } from '../health.ts';
import type { PrepareOptions } from './prepare.ts';
import { updateRevision } from '../revision-update.ts';
import { abortable } from '../wait.ts';

/** A proof that gets no memory for so long gets none: floors of others hold it all. */
const PATIENCE_MS = 10 * 60_000;
const OUT_OF_PATIENCE = `no memory became free for its proof within ${formatDuration(PATIENCE_MS)}`;

type Identity = Parameters<typeof updateRevision>[1];

type Verdict = { readonly ready: Instance } | { readonly failed: string };

interface Proof {
  readonly resolve: (verdict: Verdict) => void;
  /** Those that have become ready, by id. */
  readonly ready: Map<string, Instance>;
}

/**
 * What has never run gets no traffic: the autoscaler is asked for `scaling.initial` instances, and when so
 * many have become ready, each once, the revision is proven. The floor then goes, and with it the instances,
 * unless something keeps them.
 */
export interface Proofs {
  prove(identity: Identity, record: RevisionRecord, signal: AbortSignal): Promise<void>;
  /** The document has changed: it may ask for fewer instances now. */
  refresh(revision: string): void;
  onRuntime(event: RuntimeEvent): void;
  onImpossible(revision: string, why: string): void;
}

export function createProofs(
  options: PrepareOptions & {
    /** A proof has to wait until memory is free. */
    onWaiting: () => void;
  },
): Proofs {
  const { catalog, autoscaler, clock } = options;
  const open = new Map<string, Proof>();

  async function judge(key: string, signal: AbortSignal): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    open.set(key, { resolve, ready: new Map() });
    let patience = clock.after(PATIENCE_MS, checkPatience);
    function checkPatience(): void {
      const since = autoscaler.waitingSince(key) ?? clock.now();
      const left = since + PATIENCE_MS - clock.now();
      if (left > 0) patience = clock.after(left, checkPatience);
      else resolve({ failed: OUT_OF_PATIENCE });
    }
    autoscaler.prove(key, true);
    if (autoscaler.waitingSince(key) !== undefined) options.onWaiting();
    try {
      return await abortable(promise, signal);
    } finally {
      open.delete(key);
      patience.cancel();
    }
  }

  function countNeeded(revision: string): number {
    const entry = catalog.model(modelOf(revision));
    return entry ? Math.max(1, specOf(entry).scaling.initial) : 1;
  }

  /** What runs elsewhere was asked again and again meanwhile. */
  function failuresOf(revision: string): number {
    return catalog.revision(revision)?.value.spec.runtime === 'url' ? 1 : FAILED_STARTS;
  }

  function settle(revision: string, { ready, resolve }: Proof): void {
    const last = Array.from(ready.values()).at(-1);
    if (last && ready.size >= countNeeded(revision)) resolve({ ready: last });
  }

  async function conclude(
    identity: Identity,
    verdict: Verdict,
    known: Inspection | undefined,
  ): Promise<void> {
    if ('failed' in verdict) {
      const change = { state: 'Failed', reason: verdict.failed } as const;
      await updateRevision(options, identity, change, 'RevisionFailed');
      return;
    }
    const { askedAt, readyAt, metadata } = verdict.ready;
    const reason = `ready ${formatDuration(readyAt - askedAt)} after its start was asked for`;
    const coldStartSeconds = Math.max(0, readyAt - askedAt) / 1000;
    // Modules tell their inputs only when they run: kept, so that they can be asked for during sleep.
    const inspection = known ?? (metadata && { ...metadata, properties: {} });
    const change = {
      state: 'Ready',
      proven: true,
      coldStartSeconds,
      reason,
      ...(inspection && { inspection }),
    } as const;
    await updateRevision(options, identity, change, 'RevisionReady');
  }

  return {
    async prove(identity, record, signal) {
      const entry = catalog.model(modelKey(record.namespace, record.model));
      if (entry && specOf(entry).scaling.initial === 0) {
        const reason = 'not proven: scaling.initial is 0, so its first start is the first request';
        const change = { state: 'Ready', proven: false, reason } as const;
        await updateRevision(options, identity, change, 'RevisionReady');
        return;
      }
      try {
        await conclude(identity, await judge(identity.key, signal), record.inspection);
      } finally {
        autoscaler.prove(identity.key, false);
      }
    },
    refresh(revision) {
      const proof = open.get(revision);
      if (proof) settle(revision, proof);
    },
    onRuntime(event) {
      const { instance } = event;
      const proof = open.get(instance.revision);
      if (!proof) return;
      if (
        event.type === 'instance' &&
        instance.state === 'ready' &&
        !proof.ready.has(instance.id)
      ) {
        proof.ready.set(instance.id, instance);
        settle(instance.revision, proof);
      }
      if (event.type !== 'failed' || event.failures < failuresOf(event.instance.revision)) return;
      proof.resolve({ failed: describeFailure(event.reason, event.lastLines, event.failures) });
    },
    onImpossible(revision, why) {
      open.get(revision)?.resolve({ failed: `its proof cannot run: ${why}` });
    },
  };
}
