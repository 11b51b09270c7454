import { existsSync } from 'node:fs';
import { Fault } from '#lib/fault.ts';
import { findProgram } from '#test/find-program.ts';
import { findMissingGo } from '#test/go-toolchain.ts';
import { REPLACED } from './folders.ts';

/** What a machine must have, and how it gets it. */

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  /** The path of a program, or undefined. */
  find(program: string): string | undefined;
  exists(path: string): boolean;
  /** What is missing of Go, if anything is. */
  findMissingGo(): string | undefined;
}

/** Programs, and the packages of Debian that have them. */
const PACKAGES: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  nft: 'nftables',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  mount: 'mount',
  unshare: 'util-linux',
  nsenter: 'util-linux',
};
const CNI = { file: '/usr/lib/cni/bridge', package: 'containernetworking-plugins' };
const BRIDGE_FILTER = '/proc/sys/net/bridge/bridge-nf-call-iptables';

export function thisMachine(env: NodeJS.ProcessEnv): Machine {
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    find: (program) => findProgram(program, env),
    exists: existsSync,
    findMissingGo: () => findMissingGo(env),
  };
}

/** All that is missing for a cluster, each with what would help. Nothing: it can be made. */
export function findMissing(machine: Machine): string[] {
  if (machine.platform !== 'linux') return [`Linux: this is ${machine.platform}`];
  const packages = Object.keys(PACKAGES).filter((program) => machine.find(program) === undefined);
  const names = new Set(packages.map((program) => PACKAGES[program]));
  if (!machine.exists(CNI.file)) names.add(CNI.package);
  const missing: string[] = [];
  if (!machine.isRoot) missing.push('root: start it with sudo');
  const go = machine.findMissingGo();
  if (go !== undefined) missing.push(go);
  if (names.size > 0) {
    const list = [...names].join(' ');
    missing.push(`packages of Debian: apt-get install --no-install-recommends ${list}`);
  }
  if (!machine.exists(BRIDGE_FILTER)) {
    missing.push('the kernel module br_netfilter: modprobe br_netfilter');
  }
  return missing;
}

/** Throws a Fault that names all that is missing. */
export function requireMachine(machine: Machine): void {
  const missing = findMissing(machine);
  if (missing.length === 0) return;
  const list = missing.map((what) => `  - ${what}`).join('\n');
  throw new Fault('unavailable', `a cluster needs, and this machine lacks:\n${list}`);
}

/** Throws a Fault for a folder that is another one in the box. */
export function requireOutside(paths: readonly string[]): void {
  for (const path of paths) {
    const replaced = REPLACED.find((folder) => `${path}/`.startsWith(`${folder}/`));
    if (replaced === undefined) continue;
    const message = `${path} is in ${replaced}, which is another folder in the cluster's box; move it elsewhere`;
    throw new Fault('unavailable', message);
  }
}
