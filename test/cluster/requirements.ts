import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { REPLACED } from './folders.ts';

/** What a machine must have, and how it gets it. */

export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  /** The path of a program, or undefined. */
  find(program: string): string | undefined;
  exists(path: string): boolean;
  /** What this Go says of itself by `go env GOVERSION GOTOOLCHAIN`; empty when it knows no such things. */
  askGo(path: string): string;
}

/** What the modules need: their go.mod say so. */
const GO_MINOR = 26;
/** From this one on, Go fetches the version that a module needs, unless it is told not to. */
const FETCHING_MINOR = 21;

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
/** Where Debian and Go put programs, in case that PATH does not say so. */
const MORE_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/go/bin'];

export function thisMachine(env: NodeJS.ProcessEnv): Machine {
  const folders = [...(env['PATH'] ?? '').split(delimiter), ...MORE_FOLDERS];
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    find: (program) => folders.map((folder) => join(folder, program)).find(isProgram),
    exists: existsSync,
    askGo(path) {
      try {
        // Beside no go.mod, which could ask for another version.
        const options = { cwd: '/', encoding: 'utf8', stdio: 'pipe' } as const;
        return execFileSync(path, ['env', 'GOVERSION', 'GOTOOLCHAIN'], options).trim();
      } catch {
        return '';
      }
    },
  };
}

/** What is missing of Go, if anything is. */
function findMissingGo(machine: Machine): string[] {
  const wanted = `Go 1.${GO_MINOR} or newer: https://go.dev/doc/install`;
  const path = machine.find('go');
  if (path === undefined) return [wanted];
  const [version = '', toolchain = ''] = machine.askGo(path).split('\n');
  const minor = Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
  const fetches = minor >= FETCHING_MINOR && toolchain.includes('auto');
  return minor >= GO_MINOR || fetches ? [] : [`${wanted}; ${path} is ${version || 'older'}`];
}

/** All that is missing for a cluster, each with what would help. Nothing: it can be made. */
export function findMissing(machine: Machine): string[] {
  if (machine.platform !== 'linux') return [`Linux: this is ${machine.platform}`];
  const packages = Object.keys(PACKAGES).filter((program) => machine.find(program) === undefined);
  const names = new Set(packages.map((program) => PACKAGES[program]));
  if (!machine.exists(CNI.file)) names.add(CNI.package);
  const missing: string[] = [];
  if (!machine.isRoot) missing.push('root: start it with sudo');
  missing.push(...findMissingGo(machine));
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

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
