import type { RevisionRecord } from '#domain/records.ts';
import type { Instance, RuntimeEvent } from '#runtime/runtime.ts';
import { formatDuration } from '#domain/units.ts';
import { specOf } from './facts.ts';
import { describeFailure } from './health.ts';
import type { PrepareOptions } from './prepare.ts';
import { updateRevision } from './revision-update.ts';
import { abortable } from './wait.ts';

/** A proof that gets no memory for so long gets none: floors of others hold it all. */
const PATIENCE_MS = 10 * 60_000;
/** Failed starts in a row after which a revision is Failed: one may be chance, three are not. */
const FAILED_STARTS = 3;

type Identity = Parameters<typeof updateRevision>[1];

type Verdict = { readonly ready: Instance } | { readonly failed: string };

/**
 * What has never run gets no traffic: the autoscaler is asked for one instance, and the first that gets
 * ready proves the revision. The floor then goes, and with it the instance, unless something keeps it.
 */
export interface Proofs {
  prove(identity: Identity, record: RevisionRecord, signal: AbortSignal): Promise<void>;
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
  const open = new Map<string, { resolve: (verdict: Verdict) => void; started: boolean }>();

  async function judge(key: string, signal: AbortSignal): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const proof = { resolve, started: false };
    open.set(key, proof);
    const patience = clock.after(PATIENCE_MS, () => {
      const failed = `no memory became free for its proof within ${formatDuration(PATIENCE_MS)}`;
      if (!proof.started) resolve({ failed });
    });
    autoscaler.prove(key, true);
    if (autoscaler.isWaiting(key)) options.onWaiting();
    try {
      return await abortable(promise, signal);
    } finally {
      open.delete(key);
      patience.cancel();
    }
  }

  async function conclude(identity: Identity, verdict: Verdict): Promise<void> {
    if ('failed' in verdict) {
      const change = { state: 'Failed', reason: verdict.failed } as const;
      await updateRevision(options, identity, change, 'RevisionFailed');
      return;
    }
    const { askedAt, readyAt } = verdict.ready;
    const reason = `ready ${formatDuration(readyAt - askedAt)} after its start was asked for`;
    const coldStartSeconds = Math.max(0, readyAt - askedAt) / 1000;
    const change = { state: 'Ready', proven: true, coldStartSeconds, reason } as const;
    await updateRevision(options, identity, change, 'RevisionReady');
  }

  return {
    async prove(identity, record, signal) {
      const entry = catalog.model(`${record.namespace}/${record.model}`);
      if (entry && specOf(entry).scaling.initial === 0) {
        const reason = 'not proven: scaling.initial is 0, so its first start is the first request';
        const change = { state: 'Ready', proven: false, reason } as const;
        await updateRevision(options, identity, change, 'RevisionReady');
        return;
      }
      try {
        await conclude(identity, await judge(identity.key, signal));
      } finally {
        autoscaler.prove(identity.key, false);
      }
    },
    onRuntime(event) {
      const { instance } = event;
      const proof = open.get(instance.revision);
      if (!proof) return;
      proof.started = true;
      if (event.type === 'instance' && instance.state === 'ready')
        proof.resolve({ ready: instance });
      if (event.type !== 'failed' || event.failures < FAILED_STARTS) return;
      proof.resolve({ failed: describeFailure(event.reason, event.lastLines, event.failures) });
    },
    onImpossible(revision, why) {
      open.get(revision)?.resolve({ failed: `its proof cannot run: ${why}` });
    },
  };
}
