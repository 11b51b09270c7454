import { randomBytes } from 'node:crypto';
import { type Activator, createActivator } from '#activator/activator.ts';
import { createDirectBus } from '#bus/direct.ts';
import { createPublisher } from '#bus/publisher.ts';
import { createBackends } from '#knative/ingress/backends.ts';
import { type Controller, createController } from '#knative/ingress/controller.ts';
import { createFeed } from '#knative/ingress/feed.ts';
import { createLeadership } from '#knative/ingress/leadership.ts';
import type { Kube } from '#knative/api/kube.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import { EVERYBODY } from '../everybody.ts';
import { createGateway, INSIDE, SECURE } from './gateway.ts';
import type { IngressSettings } from './settings.ts';

/** Names in the cluster: of the Services that lead here, and of the lease of who writes status. */
const OUTSIDE_SERVICE = 'rouse-ingress';
const INSIDE_SERVICE = 'rouse-ingress-internal';
const LEASE = 'rouse-ingress';

/** A head may carry large cookies and tokens; what stands behind has limits of its own. */
const HEAD_BYTES = 64 * 1024;
/** What stands behind knows what it takes; this is the limit that everything has. */
const BODY_BYTES = 2 ** 40;
/** What waits for backends without endpoints, in all. */
const HELD_BYTES = 256 * 1024 * 1024;
const CONNECTIONS = 20_000;

export interface IngressServer {
  readonly activator: Activator;
  /** What there is in the cluster is served. */
  readonly ready: Promise<void>;
  /** Lets what runs finish for at most `graceMs`, then cuts it off. */
  close(graceMs: number): Promise<void>;
}

/** A gateway of Rouse's ingress class: rules from the cluster, a data plane, and a controller that writes status. */
export async function createIngressServer(options: {
  settings: IngressSettings;
  kube: Kube;
  version: string;
  clock: Clock;
  log: Log;
}): Promise<IngressServer> {
  const { settings, kube, version, clock, log } = options;
  const { namespace, identity, domain, http, https, inside } = settings;
  const { host, client } = createDirectBus();
  const publisher = createPublisher({ host, epoch: randomBytes(8).toString('hex'), clock, log });
  const gateway = createGateway(() => publisher.update({}));
  const entry = { tls: [], trustedProxies: [], proxyProtocol: false };
  const activator = await createActivator({
    ...http,
    more: [
      { name: SECURE, ...https, entry: { ...entry, contextFor: gateway.contextFor } },
      // An ingress is one who asks there, too: by another Ingress, as of a DomainMapping, a request passes twice.
      { name: INSIDE, ...inside, entry: { ...entry, trustedProxies: EVERYBODY } },
    ],
    entry,
    addressing: gateway.addressing,
    transparent: true,
    domain,
    client,
    dataPlane: identity,
    limits: { head: HEAD_BYTES, body: BODY_BYTES, heldBytes: HELD_BYTES, connections: CONNECTIONS },
    clock,
    version,
    roll: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString('hex'),
    log,
  });

  const backends = createBackends({ publish: (change) => publisher.update(change), clock });
  publisher.onUpward((_, message) => {
    if (message.type === 'drained') backends.onDrained(message.instance);
  });
  let controller: Controller | undefined;
  const feed = createFeed({
    kube,
    gateway,
    backends,
    domain,
    onChange: () => controller?.ask(),
    clock,
    roll: Math.random,
    log,
  });
  const leadership = createLeadership({
    kube,
    namespace,
    name: LEASE,
    identity,
    onLead: () => controller?.ask(),
    clock,
    log,
  });
  controller = createController({
    kube,
    feed,
    lost: (key) => gateway.lost(key),
    services: {
      outside: { namespace, service: OUTSIDE_SERVICE, port: 'http' },
      inside: { namespace, service: INSIDE_SERVICE, port: 'http' },
    },
    domains: {
      outside: `${OUTSIDE_SERVICE}.${namespace}.svc.${domain}`,
      inside: `${INSIDE_SERVICE}.${namespace}.svc.${domain}`,
    },
    isLeader: () => leadership.isLeader,
    clock,
    log,
  });

  async function stopWriting(): Promise<void> {
    await controller?.close();
    await leadership.close();
  }

  return {
    activator,
    // Without any Ingress nothing is told to the data plane, which must know that there is none.
    ready: feed.synced.then(() => publisher.update({})),
    async close(graceMs) {
      // Callers do not wait for a cluster that is slow to answer.
      await Promise.all([stopWriting(), activator.close(graceMs)]);
      await feed.close();
      await publisher.close();
    },
  };
}
