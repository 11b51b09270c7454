import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { findCgroups } from '#test/cluster/cgroups.ts';
import { cgroupName, partsOf } from '#test/cluster/folders.ts';
import { readRecord } from '#test/cluster/record.ts';

/** What a cluster could leave on the machine. */

/** Folders that its programs use when nothing keeps them from it. */
const FOLDERS = [
  '/run',
  '/run/netns',
  '/var/lib',
  '/var/lib/cni',
  '/var/log',
  '/etc/cni',
  '/opt',
  '/usr/libexec',
  '/sys/class/net',
];
const SETTINGS = [
  'kernel/panic',
  'kernel/panic_on_oops',
  'net/ipv4/ip_forward',
  'vm/overcommit_memory',
];

/** The machine's own things, each as a line. */
export function seeMachine(): Set<string> {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').trimEnd().split('\n');
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
  return new Set([
    ...mounts.map((line) => `mount ${line}`),
    ...tables.map((line) => `nft ${line}`),
    ...FOLDERS.flatMap((folder) => namesIn(folder).map((name) => `file ${join(folder, name)}`)),
    ...SETTINGS.map((name) => `${name} = ${readFileSync(join('/proc/sys', name), 'utf8').trim()}`),
  ]);
}

/** The process namespace of the box of this state, as the kernel names it. */
export async function namespaceOf(state: string): Promise<string> {
  const box = await readRecord(partsOf(state).record);
  if (!box) throw new Error('no box is written down');
  return readlinkSync(`/proc/${box.pid}/ns/pid`);
}

/** The pid, as the machine sees it, of a component that runs in the box of this state. */
export async function findComponent(state: string, name: string): Promise<number> {
  const namespace = await namespaceOf(state);
  const found = namesIn('/proc').find(
    (pid) => isIn(pid, namespace) && commandOf(pid).split(' ')[0]?.endsWith(`/${name}`),
  );
  if (found === undefined) throw new Error(`${name} does not run`);
  return Number(found);
}

/** What is there of a cluster that should be gone: processes of its box or its state, cgroups, new things. */
export function findTraces(
  state: string,
  before: ReadonlySet<string>,
  namespace?: string,
): string[] {
  const processes = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  const left = processes.filter(
    (pid) => (namespace && isIn(pid, namespace)) || commandOf(pid).includes(state),
  );
  return [
    ...left.map((pid) => `process ${pid} ${commandOf(pid)}`),
    ...findCgroups(cgroupName(state)),
    ...namesIn(state).map((name) => join(state, name)),
    ...[...seeMachine()].filter((line) => !before.has(line)),
  ];
}

function isIn(pid: string, namespace: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
  } catch {
    return false;
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
