import { randomBytes } from 'node:crypto';
import { type Activator, createActivator } from '#activator/activator.ts';
import type { PlaneLimits } from '#activator/plane.ts';
import { createDirectBus } from '#bus/direct.ts';
import { createPublisher } from '#bus/publisher.ts';
import type { HostPort } from '#domain/address.ts';
import { createFeed } from '#knative/activator/feed.ts';
import { probePod } from '#knative/activator/probe.ts';
import { createStatLink } from '#knative/activator/stat-link.ts';
import { encodeStats } from '#knative/activator/stats.ts';
import type { Kube } from '#knative/api/kube.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { EVERYBODY } from '../everybody.ts';
import { createKnativeAddressing } from './addressing.ts';
import type { ActivatorEnvironment } from './environment.ts';

/**
 * Rouse's data plane in the place of Knative's activator: what it knows comes from the cluster, what it sees goes to
 * Knative's autoscaler. One process, one data plane, no control.
 */
export interface KnativeActivator {
  readonly activator: Activator;
  /** It says to Kubernetes that it takes requests no more, and goes on taking them. */
  leave(): void;
  /** Accepts nothing new, lets what runs finish for at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/**
 * Heads are as large as those of common gateways. What a pod takes as a body is for the pod to say. What waits has
 * less than half of the memory that Knative's Deployment gives (600 MiB).
 */
const LIMITS: PlaneLimits = {
  head: 64 * 1024,
  body: Number.MAX_SAFE_INTEGER,
  heldBytes: 192 * 1024 * 1024,
  connections: 20_000,
};
const randomHex = (bytes: number): string => randomBytes(bytes).toString('hex');

export async function createKnativeActivator(options: {
  environment: ActivatorEnvironment;
  kube: Pick<Kube, 'list' | 'watch'>;
  /** Of the autoscaler, for statistics. */
  autoscaler: string;
  clusterDomain: string;
  http: HostPort;
  h2c: HostPort;
  version: string;
  clock: Clock;
  /** Uniform in [0, 1). */
  roll: () => number;
  log: Log;
}): Promise<KnativeActivator> {
  const { environment, kube, clusterDomain, clock, roll, log, version } = options;
  const dataPlane = environment.podName;
  const { host, client } = createDirectBus();
  const publisher = createPublisher({
    host,
    epoch: randomHex(8),
    clock,
    log,
  });
  const stats = createStatLink({ url: options.autoscaler, clock, log });
  let isServing = false;
  /** Open once it has what the feed tells. */
  let opened: Activator | undefined;
  const feed = createFeed({
    kube,
    publisher,
    dataPlane,
    podIp: environment.podIp,
    probe: probePod,
    onStart: (times) => opened?.started(times),
    sendStats: (told) => stats.send(encodeStats(dataPlane, told)),
    clock,
    roll,
    log,
  });

  async function end(): Promise<void> {
    stats.close();
    await feed.close();
    await publisher.close();
  }

  async function open(): Promise<Activator> {
    await feed.synced;
    const entry = { tls: [], trustedProxies: EVERYBODY, proxyProtocol: false };
    return await createActivator({
      ...options.http,
      more: [{ name: 'h2c', ...options.h2c, entry }],
      entry,
      domain: clusterDomain,
      addressing: createKnativeAddressing({ domain: clusterDomain, isServing: () => isServing }),
      client,
      dataPlane,
      limits: LIMITS,
      version,
      randomHex,
      clock,
      roll,
      log,
    });
  }

  try {
    const activator = await open();
    opened = activator;
    let left = false;
    // Without the autoscaler nothing would wake; once it was there, what is awake goes on without it.
    void Promise.all([activator.ready, stats.ready]).then(() => (isServing = !left));
    return {
      activator,
      leave() {
        left = true;
        isServing = false;
      },
      async close(graceMs) {
        await activator.close(graceMs);
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
