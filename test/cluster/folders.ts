import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Programs that were built. May be lost at any time: they are built again. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'rouse', 'cluster');
}

/** All that one cluster leaves on a disk. Two clusters with two of these do not meet. */
export function stateFolder(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'rouse', 'cluster');
}

/** The parts of a state folder, as the machine sees them. */
export function partsOf(state: string): {
  readonly record: string;
  readonly plan: string;
  readonly lib: string;
  readonly log: string;
  readonly sysctl: string;
  readonly files: string;
  readonly logs: string;
  readonly kubeconfig: string;
} {
  return {
    record: join(state, 'box.json'),
    plan: join(state, 'lib', 'cluster', 'plan.json'),
    lib: join(state, 'lib'),
    log: join(state, 'log'),
    sysctl: join(state, 'sysctl'),
    files: join(state, 'lib', 'cluster'),
    logs: join(state, 'log', 'cluster'),
    kubeconfig: join(state, 'lib', 'cluster', 'admin.kubeconfig'),
  };
}

/** The same parts as the box sees them: there `lib` and `log` of the state are the machine's own. */
export const FILES = '/var/lib/cluster';
/** What makes a client in the box the cluster's administrator. */
export const ADMIN = `${FILES}/admin.kubeconfig`;
export const LOGS = '/var/log/cluster';
/** What Rouse has asked of the API server, a line of JSON each. */
export const AUDIT_LOG = `${LOGS}/audit.jsonl`;

/** What of the machine is something else in the box. Nothing that the box needs may lie in one of these. */
export const REPLACED = ['/run', '/var/lib', '/var/log'];

/** All pods of a cluster are in the cgroup of this name, in each hierarchy. */
export function cgroupName(state: string): string {
  return `rouse-cluster-${createHash('sha256').update(state).digest('hex').slice(0, 8)}`;
}
