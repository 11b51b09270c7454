import type { Clock } from '#lib/clock.ts';
import { pause } from '#lib/pause.ts';
import type { Addresses } from './addresses.ts';
import type { ProbeResult } from './probe.ts';
import { decideProbeWait } from './probe-pace.ts';

/**
 * The pods of all revisions, and which of them take requests.
 *
 * 1. A pod takes requests once its queue-proxy says so, and where that is not enough, once Kubernetes does, too.
 * 2. Each address is asked by one prober at a time, which ends with the address.
 * 3. A pod that Kubernetes takes for ready no more has to say so itself again.
 * 4. `onReady` and `onGone` come in turn for an address, beginning with `onReady`.
 */
export interface Pods {
  /** What there is of a revision now. `trustsProbe`: invariant 1. */
  set(revision: string, addresses: Addresses, trustsProbe: boolean): void;
  /** There is nothing of it any more. */
  drop(revision: string): void;
  close(): void;
}

export interface PodEvents {
  /** `seenAt`: when its address was known; ms. */
  onReady(revision: string, to: string, seenAt: number): void;
  onGone(revision: string, to: string): void;
}

interface PodAt {
  readonly to: string;
  readonly seenAt: number;
  isReadyThere: boolean;
  trustsProbe: boolean;
  /** Its queue-proxy has said that it takes requests. */
  answered: boolean;
  isReady: boolean;
  prober: AbortController | undefined;
}

export function createPods(options: {
  probe: (to: string, signal: AbortSignal) => Promise<ProbeResult>;
  clock: Clock;
  events: PodEvents;
}): Pods {
  const { probe, clock, events } = options;
  const revisions = new Map<string, Map<string, PodAt>>();
  let probing = 0;

  function settle(revision: string, pod: PodAt): void {
    const isReady = pod.answered && (pod.isReadyThere || pod.trustsProbe);
    if (isReady === pod.isReady) return;
    pod.isReady = isReady;
    if (isReady) events.onReady(revision, pod.to, pod.seenAt);
    else events.onGone(revision, pod.to);
  }

  function startProber(revision: string, pod: PodAt): void {
    if (pod.prober) return;
    const prober = new AbortController();
    pod.prober = prober;
    probing += 1;
    void runProber(revision, pod, prober.signal);
  }

  function stopProber(pod: PodAt): void {
    if (!pod.prober) return;
    pod.prober.abort();
    pod.prober = undefined;
    probing -= 1;
  }

  async function runProber(revision: string, pod: PodAt, signal: AbortSignal): Promise<void> {
    const since = clock.now();
    while (!signal.aborted) {
      const result = await probe(pod.to, signal);
      if (signal.aborted) return;
      if (result === 'ready') {
        stopProber(pod);
        pod.answered = true;
        settle(revision, pod);
        return;
      }
      await pause(clock, decideProbeWait(clock.now() - since, probing), signal);
    }
  }

  function setOne(revision: string, pod: PodAt, isReadyThere: boolean, trustsProbe: boolean): void {
    if (pod.isReadyThere && !isReadyThere) pod.answered = false;
    pod.isReadyThere = isReadyThere;
    pod.trustsProbe = trustsProbe;
    if (!pod.answered) startProber(revision, pod);
    settle(revision, pod);
  }

  function end(revision: string, pod: PodAt): void {
    stopProber(pod);
    if (pod.isReady) events.onGone(revision, pod.to);
  }

  function drop(revision: string): void {
    for (const pod of revisions.get(revision)?.values() ?? []) end(revision, pod);
    revisions.delete(revision);
  }

  return {
    set(revision, addresses, trustsProbe) {
      const known = revisions.get(revision) ?? new Map<string, PodAt>();
      revisions.set(revision, known);
      for (const [to, pod] of known) {
        if (addresses.has(to)) continue;
        known.delete(to);
        end(revision, pod);
      }
      for (const [to, isReadyThere] of addresses) {
        const pod = known.get(to) ?? makePod(to, clock.now());
        known.set(to, pod);
        setOne(revision, pod, isReadyThere, trustsProbe);
      }
    },
    drop,
    close() {
      for (const pods of revisions.values()) for (const pod of pods.values()) stopProber(pod);
      revisions.clear();
    },
  };
}

function makePod(to: string, seenAt: number): PodAt {
  const not = { isReadyThere: false, trustsProbe: false, answered: false, isReady: false };
  return { to, seenAt, ...not, prober: undefined };
}
