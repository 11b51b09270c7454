import { isDeepStrictEqual } from 'node:util';
import type { Publisher } from '#bus/publisher.ts';
import type { StartTimes } from '#domain/cold-start.ts';
import { modelKey, revisionKey } from '#domain/names.ts';
import type { RoutingModel } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from '../api/kube.ts';
import { createMirrors } from '../api/mirrors.ts';
import { keyOf } from '../api/objects.ts';
import { readAddresses, readIps } from './addresses.ts';
import { type RevisionTraits, createInstances, type Place } from './instances.ts';
import {
  type Endpoints,
  ENDPOINTS,
  PRIVATE,
  PUBLIC,
  revisionOf,
  SERVED_REVISIONS,
  type ServedRevision,
} from './objects.ts';
import { createPods } from './pods.ts';
import type { ProbeResult } from './probe.ts';
import { createReporter } from './reporter.ts';
import { makeRoutingModel, portNameOf, trustsProbe } from './routing-model.ts';
import type { Stat } from './stats.ts';

/**
 * What the data plane has to know of Knative's revisions, from the cluster, and what it sees, to Knative's autoscaler.
 *
 * 1. The data plane hears nothing before all that there is has been listed: until then every revision would be unknown.
 * 2. Pods of a revision are asked and told only while there is a Revision: Endpoints may come before it and go after it.
 */
export interface Feed {
  /** The data plane knows what there is. Rejects with what keeps it from that. */
  readonly synced: Promise<void>;
  close(): Promise<void>;
}

interface Known {
  readonly model: RoutingModel;
  readonly traits: RevisionTraits;
  readonly trustsProbe: boolean;
  /** When an instance of it was asked for last, ms; 0: there was one since. */
  askedAt: number;
}

export function createFeed(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  publisher: Publisher;
  dataPlane: string;
  /** The address that the cluster knows this activator by. */
  podIp: string;
  probe: (to: string, signal: AbortSignal) => Promise<ProbeResult>;
  /** A pod that requests have waited for takes them; ms. */
  onStart: (times: StartTimes) => void;
  /** False: they are lost. */
  sendStats: (stats: readonly Stat[]) => boolean;
  clock: Clock;
  roll: () => number;
  log: Log;
}): Feed {
  const { publisher, clock, podIp } = options;
  const mirrors = createMirrors(options);
  const revisions = new Map<string, Known>();
  const privates = new Map<string, Endpoints>();
  const publics = new Map<string, Endpoints>();
  const reporter = createReporter(options.sendStats);
  const instances = createInstances(options);
  let isSynced = false;
  const pods = createPods({
    probe: options.probe,
    clock,
    events: {
      onReady(revision, to, seenAt) {
        const known = revisions.get(revision);
        if (!known) return;
        const { traits, askedAt } = known;
        instances.add(traits, to, { askedAt: askedAt || seenAt, seenAt });
        if (askedAt > 0) options.onStart({ askedAt, startedAt: seenAt, readyAt: clock.now() });
        known.askedAt = 0;
      },
      onGone(revision, to) {
        const known = revisions.get(revision);
        if (known) instances.remove(known.traits, to);
      },
    },
  });

  function setRevision(object: ServedRevision): void {
    const key = keyOf(object);
    const known = revisions.get(key);
    const model = makeRoutingModel(object);
    if (known && isDeepStrictEqual(known.model, model)) return;
    const { namespace, name } = model;
    const traits = {
      revision: revisionKey(namespace, name, name),
      concurrency: model.revisions[0]?.concurrency ?? 0,
      h2c: portNameOf(object) === 'http2',
    };
    revisions.set(key, { model, traits, trustsProbe: trustsProbe(object), askedAt: 0 });
    if (!isSynced) return;
    publisher.update({ models: [model] });
    follow(key);
  }

  function dropRevision(object: ServedRevision): void {
    const key = keyOf(object);
    const known = revisions.get(key);
    if (!known) return;
    pods.drop(key);
    revisions.delete(key);
    instances.forget(known.traits.revision);
    const { namespace, name } = known.model;
    if (isSynced) publisher.update({ removedModels: [modelKey(namespace, name)] });
  }

  /** Whatever of it has changed. */
  function follow(key: string): void {
    const known = revisions.get(key);
    if (!known || !isSynced) return;
    const { traits } = known;
    const portName = traits.h2c ? 'http2' : 'http';
    const open = publics.get(key);
    const place = open && placeIn(readIps(open, portName), podIp);
    if (place) instances.setPlace(traits, place);
    const behind = privates.get(key);
    if (behind) pods.set(key, readAddresses(behind, portName), known.trustsProbe);
    else pods.drop(key);
  }

  function take(kept: Map<string, Endpoints>) {
    return ({ type, object }: { type: 'set' | 'gone'; object: Endpoints }): void => {
      const key = revisionOf(object);
      if (key === undefined) return;
      if (type === 'gone') kept.delete(key);
      else kept.set(key, object);
      follow(key);
    };
  }

  mirrors.add(SERVED_REVISIONS, '', ({ type, object }) => {
    if (type === 'gone') dropRevision(object);
    else setRevision(object);
  });
  mirrors.add(ENDPOINTS, PRIVATE, take(privates));
  mirrors.add(ENDPOINTS, PUBLIC, take(publics));

  publisher.onJoined(() => instances.shareAll());
  publisher.onUpward((_, message) => {
    if (message.type === 'wake') {
      const known = knownOf(message.revision);
      if (known && known.askedAt === 0) known.askedAt = clock.now();
      reporter.wake(message.revision);
    } else if (message.type === 'load') reporter.load(message.revisions);
    else if (message.type === 'drained') instances.drained(message.instance);
    else if (message.type === 'released') instances.released(message);
  });

  /** The key of a revision in the data plane has its name twice. */
  function knownOf(revision: string): Known | undefined {
    return revisions.get(revision.slice(0, revision.lastIndexOf('/')));
  }

  async function sync(): Promise<void> {
    await mirrors.listed();
    isSynced = true;
    publisher.update({ models: Array.from(revisions.values(), ({ model }) => model) });
    for (const key of revisions.keys()) follow(key);
  }

  return {
    synced: sync(),
    async close() {
      pods.close();
      await mirrors.close();
    },
  };
}

/** Undefined: this activator is not in the path of the revision, and what was known of its place stands. */
function placeIn(ips: readonly string[], own: string): Place | undefined {
  const index = ips.indexOf(own);
  return index < 0 ? undefined : { index, count: ips.length };
}
