import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Kube } from '../api/kube.ts';
import type { KubeObject } from '../api/objects.ts';
import type { Resource } from '../api/resources.ts';

interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

const LEASES: Resource<Lease> = {
  root: '/apis/coordination.k8s.io/v1',
  plural: 'leases',
};

/** As other controllers have it: who holds a lease for so long without a sign of life has died. */
const LEASE_SECONDS = 15;
/** Before the lease ends for others, its holder does nothing more. */
const SURE_MS = 10_000;
const RENEW_MS = 2000;

/**
 * One of several that does something, by a Lease in the cluster.
 *
 * Invariants:
 *  1. Who leads has renewed the lease within `SURE_MS` by its own clock; others take it only when they have seen no
 *     renewal for `LEASE_SECONDS` by theirs. Clocks of two machines are never compared.
 *  2. A write names the version that it was read at: of two that take it at once, one does.
 */
export interface Leadership {
  readonly isLeader: boolean;
  /** Gives it back, so that another one need not wait. */
  close(): Promise<void>;
}

export function createLeadership(options: {
  kube: Pick<Kube, 'get' | 'create' | 'merge'>;
  namespace: string;
  /** Of the lease. */
  name: string;
  /** Of the one that asks, unique. */
  identity: string;
  /** It leads from now on. */
  onLead: () => void;
  clock: Clock;
  log: Log;
}): Leadership {
  const { kube, namespace, name, identity, onLead, clock, log } = options;
  const place = { namespace, name };
  let sureUntil = 0;
  /** The last renewal of another one, and when it was seen here. */
  let seen = { renewal: '', at: 0 };

  async function step(): Promise<void> {
    const begun = clock.now();
    const lease = await kube.get(LEASES, place);
    if (!mayTake(lease)) {
      // Whoever has it: two never lead longer than one look apart.
      sureUntil = 0;
      return;
    }
    const had = begun < sureUntil;
    await write(lease);
    sureUntil = begun + SURE_MS;
    if (had) return;
    log.info({ lease: name }, 'this one leads');
    onLead();
  }

  function mayTake(lease: Lease | undefined): boolean {
    const {
      holderIdentity = '',
      renewTime = '',
      leaseDurationSeconds = LEASE_SECONDS,
    } = lease?.spec ?? {};
    if (!lease || holderIdentity === '' || holderIdentity === identity) return true;
    const renewal = `${holderIdentity} ${renewTime}`;
    if (seen.renewal !== renewal) seen = { renewal, at: clock.now() };
    return clock.now() - seen.at > leaseDurationSeconds * 1000;
  }

  async function write(lease: Lease | undefined): Promise<void> {
    const renewTime = microTime(clock.now());
    const mine = lease?.spec?.holderIdentity === identity;
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime,
      acquireTime: (mine && lease.spec?.acquireTime) || renewTime,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? 0) + (mine || !lease ? 0 : 1),
    };
    if (lease) await kube.merge(LEASES, place, { metadata: versionOf(lease), spec });
    else {
      const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
      await kube.create(LEASES, { ...kind, metadata: { namespace, name }, spec });
    }
  }

  function onError(error: unknown): void {
    // Another one was quicker.
    if (error instanceof Fault && error.code === 'conflict') return;
    log.warn({ lease: name, err: messageOf(error) }, 'the lease cannot be renewed');
  }

  const loop = createLoop({ clock, everyMs: RENEW_MS, step, onError });
  loop.ask();
  return {
    get isLeader() {
      return clock.now() < sureUntil;
    },
    async close() {
      await loop.close();
      const lease =
        clock.now() < sureUntil ? await kube.get(LEASES, place).catch(() => undefined) : undefined;
      sureUntil = 0;
      if (lease?.spec?.holderIdentity !== identity) return;
      await kube
        .merge(LEASES, place, { metadata: versionOf(lease), spec: { holderIdentity: '' } })
        .catch(onError);
    },
  };
}

function versionOf({ metadata }: Lease): { resourceVersion: string | undefined } {
  return { resourceVersion: metadata.resourceVersion };
}

/** As Kubernetes writes times with microseconds. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
