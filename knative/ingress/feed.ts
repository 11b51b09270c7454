import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Kube } from '../api/kube.ts';
import { createMirrors } from '../api/mirrors.ts';
import { keyOf } from '../api/objects.ts';
import type { Backends } from './backends.ts';
import { type Catalog, createCatalog } from './catalog.ts';
import { type Ingress, INGRESSES, isOurs, type Secret } from './objects.ts';
import { createReferences } from './references.ts';
import { backendsOf, parseRouting, type Routing, serviceKey } from './rules.ts';

/** What serves the rules. */
export interface Gateway {
  /**
   * Requests go by this from now on, in the place of what it said before. Throws Fault `invalid` when that cannot be
   * done, and then all is as it was.
   *
   * @param secrets those that it names, by `namespace/name`.
   */
  serve(routing: Routing, secrets: ReadonlyMap<string, Secret>): void;
  drop(key: string): void;
}

/** How far an Ingress has come at this gateway. */
export interface Progress {
  readonly ingress: Ingress;
  /** What is asked for; undefined: that is not understood. */
  readonly wanted: Routing | undefined;
  /** What is served of it: not always the newest. */
  readonly served: Routing | undefined;
  /** Why the newest is not served. */
  readonly problem: Fault | undefined;
}

export interface Feed extends Pick<Catalog, 'addressesOf'> {
  /** Those of our class. */
  all(): Iterable<Progress>;
  /** All that the cluster has is known, and what can be served is. */
  readonly synced: Promise<void>;
  close(): Promise<void>;
}

type Entry = { -readonly [Field in keyof Progress]: Progress[Field] };

/**
 * What the cluster wants of an ingress, as it changes, for the data plane: rules, and the endpoints that they lead to.
 *
 * Invariants:
 *  1. Nothing is served before all kinds have been listed: what is missing then is missing in the cluster.
 *  2. A rule is served only when every Service and Secret that it names is there; until then what was served before is.
 *  3. A backend is known before a rule leads to it, and released only after the last one that did is served no more.
 */
export function createFeed(options: {
  kube: Pick<Kube, 'list' | 'watch'>;
  gateway: Gateway;
  backends: Backends;
  /** Of the cluster, such as `cluster.local`. */
  domain: string;
  /** Something is other than it was: an Ingress, or a Service that may be a gateway. */
  onChange: () => void;
  clock: Clock;
  roll: () => number;
  log: Log;
}): Feed {
  const { gateway, backends, domain, onChange, log } = options;
  const mirrors = createMirrors(options);
  const entries = new Map<string, Entry>();
  /** From Ingresses to Services and Secrets that they name, served or not. */
  const needs = createReferences();
  /** From Ingresses to backends, served. */
  const uses = createReferences();
  let isSynced = false;

  const catalog = createCatalog(mirrors, {
    onService(key) {
      for (const user of needs.to(`service ${key}`)) onNeed(user, key);
      onChange();
    },
    onSecret(key) {
      for (const user of needs.to(`secret ${key}`)) tryAgain(user);
    },
  });
  mirrors.add<Ingress>(INGRESSES, '', ({ type, object }) => {
    if (type === 'gone' || !isOurs(object)) forget(keyOf(object));
    else takeIngress(object);
    onChange();
  });

  function takeIngress(ingress: Ingress): void {
    const key = keyOf(ingress);
    const known = entries.get(key);
    const isNews = !known || isOther(known.ingress, ingress);
    const entry = known ?? { ingress, wanted: undefined, served: undefined, problem: undefined };
    entry.ingress = ingress;
    entries.set(key, entry);
    if (!isNews) return;
    understand(entry);
    needs.set(key, [...needsOf(entry.wanted), ...needsOf(entry.served)]);
    examine(key, entry);
  }

  function understand(entry: Entry): void {
    entry.problem = undefined;
    entry.wanted = undefined;
    try {
      entry.wanted = parseRouting(entry.ingress, domain);
    } catch (error) {
      entry.problem = faultOf(error);
    }
  }

  /** Serves what is wanted, if all that it needs is there. */
  function examine(key: string, entry: Entry): void {
    const { wanted, served } = entry;
    if (!isSynced || !wanted) return;
    try {
      serve(wanted);
      entry.served = wanted;
      entry.problem = undefined;
      needs.set(key, needsOf(wanted));
    } catch (error) {
      entry.problem = faultOf(error);
      log.warn(
        { ingress: key, err: entry.problem.message },
        'an Ingress is not served as it is now',
      );
    }
    const left = entry.served;
    uses.set(key, left ? backendsOf(left).keys() : []);
    for (const routing of [wanted, served]) if (routing) releaseUnused(routing);
  }

  function serve(wanted: Routing): void {
    const secrets = findSecrets(wanted);
    const found = [...backendsOf(wanted).values()].map(
      (backend) => [backend, catalog.addressesOf(backend)] as const,
    );
    for (const [backend, addresses] of found) backends.set(backend, addresses);
    gateway.serve(wanted, secrets);
  }

  function findSecrets({ certificates }: Routing): Map<string, Secret> {
    return new Map(
      certificates.map(({ secret: key }) => {
        const secret = catalog.secret(key);
        if (secret) return [key, secret];
        throw new Fault(
          'not_found',
          `Secret ${key} does not exist or is not of type kubernetes.io/tls`,
        );
      }),
    );
  }

  function releaseUnused(routing: Routing): void {
    for (const [key, backend] of backendsOf(routing)) if (!uses.has(key)) backends.release(backend);
  }

  /** A Service that this one names has changed, or its endpoints have. */
  function onNeed(key: string, service: string): void {
    const entry = entries.get(key);
    if (entry?.served) follow(entry.served, service);
    if (entry?.problem) examine(key, entry);
  }

  /** A Service that has gone has no endpoints: its callers wait a while for another. */
  function follow(served: Routing, service: string): void {
    for (const backend of backendsOf(served).values()) {
      if (serviceKey(backend) !== service) continue;
      try {
        backends.set(backend, catalog.addressesOf(backend));
      } catch {
        backends.set(backend, []);
      }
    }
  }

  /** Also when it is served: a Secret has another certificate. */
  function tryAgain(key: string): void {
    const entry = entries.get(key);
    if (entry) examine(key, entry);
    onChange();
  }

  function forget(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    entries.delete(key);
    needs.delete(key);
    uses.delete(key);
    gateway.drop(key);
    if (entry.served) releaseUnused(entry.served);
  }

  async function begin(): Promise<void> {
    await mirrors.listed();
    isSynced = true;
    for (const [key, entry] of entries) examine(key, entry);
    onChange();
  }

  return {
    all: () => entries.values(),
    addressesOf: (backend) => catalog.addressesOf(backend),
    synced: begin(),
    async close() {
      await mirrors.close();
      backends.close();
    },
  };
}

/** Another spec or another object of its name; a status is none. */
function isOther({ metadata: a }: Ingress, { metadata: b }: Ingress): boolean {
  return a.uid !== b.uid || a.generation !== b.generation;
}

function needsOf(routing: Routing | undefined): string[] {
  if (!routing) return [];
  const services = [...backendsOf(routing).values()].map(
    (backend) => `service ${serviceKey(backend)}`,
  );
  return [...services, ...routing.certificates.map(({ secret }) => `secret ${secret}`)];
}

function faultOf(error: unknown): Fault {
  return error instanceof Fault ? error : new Fault('internal', messageOf(error));
}
