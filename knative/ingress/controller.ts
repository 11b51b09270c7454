import type { Clock } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { backoffMs } from '#lib/backoff.ts';
import type { Log } from '#lib/log.ts';
import { createLoop } from '#lib/loop.ts';
import type { Kube } from '../api/kube.ts';
import { keyOf } from '../api/objects.ts';
import type { BackendAddress } from './endpoints.ts';
import type { Feed, Progress } from './feed.ts';
import { type Ingress, INGRESSES } from './objects.ts';
import { askGateway, makeProbe } from './prober.ts';
import type { BackendName, Routing } from './rules.ts';
import { type Domains, isNews, isSettled, makeStatus, type Seen } from './status.ts';

/** All is looked at again: for whatever was missed. */
const RESYNC_MS = 30_000;
/** Gateways hear of a change within milliseconds of each other. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;
/** Ingresses that are looked at together. */
const AT_ONCE = 32;

/** The Services by which the gateways are reached. */
export interface GatewayServices {
  readonly outside: BackendName;
  readonly inside: BackendName;
}

export interface Controller {
  /** Something may be other than it was. */
  ask(): void;
  close(): Promise<void>;
}

/**
 * Writes what became of each Ingress into its status, while it leads: an Ingress is ready when every gateway has shown
 * the hash of what it asks for.
 */
export function createController(options: {
  kube: Pick<Kube, 'merge'>;
  feed: Feed;
  /** Hosts that older ones have. */
  lost: (key: string) => readonly { readonly host: string; readonly owner: string }[];
  services: GatewayServices;
  domains: Domains;
  isLeader: () => boolean;
  clock: Clock;
  log: Log;
}): Controller {
  const { kube, feed, lost, services, domains, isLeader, clock, log } = options;
  /** What became of an Ingress by what was written, until the watch tells it. */
  const written = new WeakMap<Ingress, Ingress>();
  let failures = 0;
  /** As it was told last. */
  let trouble = '';

  async function step(): Promise<void> {
    if (!isLeader()) return;
    const open = [...feed.all()].filter(isOpen);
    let waits = false;
    for (let at = 0; at < open.length; at += AT_ONCE) {
      const done = await Promise.all(open.slice(at, at + AT_ONCE).map(trySettle));
      waits ||= done.includes(false);
    }
    failures = waits ? failures + 1 : 0;
    if (!waits) trouble = '';
    if (waits) clock.after(backoffMs(failures, FIRST_WAIT_MS, LONGEST_WAIT_MS), () => loop.ask());
  }

  /**
   * Something is left to be told of it. What was ready may have lost a host since, to one that is older, or a
   * certificate, without which the next gateway cannot serve it.
   */
  function isOpen({ ingress, problem }: Progress): boolean {
    if (problem) return true;
    const { status, metadata } = newestOf(ingress);
    const { generation = 0 } = metadata;
    return !isSettled(status, { generation }, domains) || lost(keyOf(ingress)).length > 0;
  }

  /** One that cannot be settled keeps no other from it. */
  async function trySettle(progress: Progress): Promise<boolean> {
    try {
      return await settle(progress);
    } catch (error) {
      onError(error, keyOf(progress.ingress));
      return false;
    }
  }

  /** False: it is to be looked at again soon. */
  async function settle(progress: Progress): Promise<boolean> {
    const seen = await look(progress);
    const before = newestOf(progress.ingress).status ?? {};
    const status = makeStatus(seen, domains, before, new Date(clock.now()).toISOString());
    const isDone = seen.problem !== undefined || seen.proven === seen.gateways;
    if (isLeader() && isNews(before, status)) await write(progress.ingress, status);
    return isDone && seen.gateways > 0;
  }

  async function look({ ingress, wanted, served, problem }: Progress): Promise<Seen> {
    const generation = ingress.metadata.generation ?? 0;
    const isServed = wanted !== undefined && wanted === served && problem === undefined;
    const gateways = wanted ? gatewaysFor(wanted) : [];
    const claim = lost(keyOf(ingress))[0];
    if (problem)
      return { generation, problem: describe(problem), proven: 0, gateways: gateways.length };
    if (claim) {
      const message = `Host ${claim.host} belongs to Ingress ${claim.owner}, which is older`;
      const taken = { reason: 'HostTaken', message, isFinal: true };
      return { generation, problem: taken, proven: 0, gateways: gateways.length };
    }
    const proven = isServed ? await countProven(wanted, gateways) : 0;
    return { generation, proven, gateways: gateways.length };
  }

  async function countProven(
    wanted: Routing,
    gateways: readonly BackendAddress[],
  ): Promise<number> {
    const probe = makeProbe(wanted);
    if (!probe) return gateways.length;
    const answers = await Promise.all(gateways.map((address) => askGateway(address, probe, clock)));
    return answers.filter(Boolean).length;
  }

  function gatewaysFor(wanted: Routing): BackendAddress[] {
    try {
      return feed.addressesOf(
        makeProbe(wanted)?.isPublic === false ? services.inside : services.outside,
      );
    } catch {
      return [];
    }
  }

  async function write(ingress: Ingress, status: Ingress['status']): Promise<void> {
    const { namespace, name, resourceVersion } = newestOf(ingress).metadata;
    const place = { namespace, name, subresource: 'status' };
    try {
      const after = await kube.merge(INGRESSES, place, { metadata: { resourceVersion }, status });
      written.set(ingress, after);
    } catch (error) {
      // It has changed or gone meanwhile, of which the watch tells.
      if (error instanceof Fault && (error.code === 'conflict' || error.code === 'not_found'))
        return;
      throw error;
    }
  }

  function newestOf(ingress: Ingress): Ingress {
    return written.get(ingress) ?? ingress;
  }

  /** Once for each reason in a row: it is tried again and again. */
  function onError(error: unknown, ingress = ''): void {
    const err = messageOf(error);
    if (err === trouble) return;
    trouble = err;
    log.warn({ ingress, err }, 'the status of an Ingress cannot be written');
  }

  const loop = createLoop({ clock, everyMs: RESYNC_MS, step, onError });
  return { ask: () => loop.ask(), close: () => loop.close() };
}

/** What is missing may come; what is wrong stays so until somebody changes it. */
function describe({ code, message }: Fault): NonNullable<Seen['problem']> {
  if (code === 'invalid') return { reason: 'Invalid', message, isFinal: true };
  return { reason: code === 'not_found' ? 'Missing' : 'Failed', message, isFinal: false };
}
