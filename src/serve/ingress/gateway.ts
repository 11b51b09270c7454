import type { SecureContext } from 'node:tls';
import { type Addressing, makeAnswer, makeUnknown, type SplitRow } from '#activator/addressing.ts';
import type { ContextFor } from '#activator/entry/tls.ts';
import { makeHeadEdits } from '#activator/http/head-edits.ts';
import { createHostTable } from '#knative/ingress/host-table.ts';
import { findPath } from '#knative/ingress/match.ts';
import { backendKey, type HostRules, type PathRule } from '#knative/ingress/rules.ts';
import type { Gateway } from '#knative/ingress/feed.ts';
import { makeContexts } from './contexts.ts';

/** The ports of an ingress, by their names: who comes by TLS, and who comes from inside of the cluster. */
export const SECURE = 'secure';
export const INSIDE = 'inside';

/**
 * What Knative's own parts say to each other, and no caller: to a pod's queue-proxy it would hide load from the
 * autoscaler, pass by the limit of concurrency, or name another host than the one that was asked for.
 */
const NOT_FROM_CALLERS = ['K-Proxy-Request', 'K-Kubelet-Probe', 'K-Original-Host'];

/** A host's rules, ready for requests. */
interface Host {
  readonly redirects: boolean;
  readonly paths: readonly Path[];
}

interface Path extends Pick<PathRule, 'prefix' | 'headers' | 'probe'> {
  readonly rows: readonly SplitRow[];
  readonly weights: Int32Array;
  readonly credit: Int32Array;
}

/** The rules of an ingress as the data plane asks for them. */
export interface IngressGateway extends Gateway {
  readonly addressing: Addressing;
  readonly contextFor: ContextFor;
  /** Hosts of this Ingress that an older one has, and which. */
  lost(key: string): { readonly host: string; readonly owner: string }[];
}

/** @param onChange what was found before may be wrong now. */
export function createGateway(onChange: () => void): IngressGateway {
  const outside = createHostTable<Host>();
  const inside = createHostTable<Host>();
  const contexts = createHostTable<SecureContext>();

  return {
    serve(routing, secrets) {
      const { key, createdAt } = routing;
      const made = makeContexts(routing, secrets);
      const hosts = routing.hosts.map((rules) => ({ rules, host: makeHost(rules) }));
      const publicOnes = hosts.filter(({ rules }) => rules.isPublic);
      contexts.set(key, createdAt, made);
      inside.set(key, createdAt, hosts.flatMap(byName));
      outside.set(key, createdAt, publicOnes.flatMap(byName));
      onChange();
    },
    drop(key) {
      for (const table of [outside, inside, contexts]) table.delete(key);
      onChange();
    },
    lost: (key) => inside.lost(key),
    contextFor(servername) {
      const name = servername.toLowerCase();
      return contexts.find(name) ?? contexts.find(`*${name.slice(Math.max(0, name.indexOf('.')))}`);
    },
    addressing(head, routes, { entry }) {
      const { hostname, target, fields } = head;
      const host = (entry === INSIDE ? inside : outside).find(hostname);
      if (!host) return makeUnknown(`No Ingress is for host ${hostname}.`);
      const path = findPath(host.paths, target, fields);
      if (!path) return makeUnknown(`The Ingress of host ${hostname} has no path for this.`);
      if (path.probe !== undefined && fields.find('k-network-probe') === 'probe') {
        return makeAnswer(200, '', `K-Network-Hash: ${path.probe}\r\n`);
      }
      if (host.redirects && entry === '')
        return makeAnswer(301, '', `Location: https://${hostname}${target}\r\n`);
      const [row] = path.rows;
      if (path.rows.length > 1 || !row)
        return { kind: 'split', ...path, path: target, dialect: 'problem' };
      const model = routes.models.get(row.model);
      if (!model) return makeUnknown(`The backend of host ${hostname} is gone.`);
      const { edits } = row;
      return {
        kind: 'model',
        model,
        revision: '',
        tag: undefined,
        path: target,
        dialect: 'problem',
        edits,
      };
    },
  };
}

function byName({ rules, host }: { rules: HostRules; host: Host }): (readonly [string, Host])[] {
  return rules.names.map((name) => [name, host] as const);
}

function makeHost({ redirects, paths }: HostRules): Host {
  return { redirects, paths: paths.map(makePath) };
}

function makePath({ prefix, headers, probe, splits }: PathRule): Path {
  return {
    prefix,
    headers,
    ...(probe !== undefined && { probe }),
    rows: splits.map(({ backend, set, host }) => ({
      model: backendKey(backend),
      edits: makeHeadEdits({ set, remove: NOT_FROM_CALLERS, host }),
    })),
    weights: Int32Array.from(splits, ({ percent }) => percent),
    credit: new Int32Array(splits.length),
  };
}
