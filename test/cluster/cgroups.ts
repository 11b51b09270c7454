import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault, messageOf } from '#lib/fault.ts';

export const CGROUPS = '/sys/fs/cgroup';
/** By which kubelet and runc limit pods. */
const CONTROLLERS = ['cpu', 'cpuset', 'io', 'memory', 'pids'];
/** A cgroup is busy until the last of its processes has been collected. */
const EMPTY_MS = 10_000;
const STEP_MS = 20;

/** Where the hierarchies of this machine are mounted: several with cgroups v1, one with v2. */
export function findHierarchies(mounts = readFileSync('/proc/self/mounts', 'utf8')): string[] {
  const rows = mounts.split('\n').map((line) => line.split(' '));
  return rows
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map((row) => row[1] ?? '');
}

/** Makes a cgroup in each hierarchy, in which pods can be limited. */
export function makeCgroups(name: string, hierarchies: readonly string[]): void {
  for (const hierarchy of hierarchies) {
    const path = join(hierarchy, name);
    const handed = join(hierarchy, 'cgroup.subtree_control');
    const isV2 = existsSync(handed);
    if (isV2) handDown(hierarchy, handed);
    mkdirSync(path, { recursive: true });
    if (!isV2) inheritSets(hierarchy, path);
  }
}

/** With v2 a cgroup has only those controllers that the one above hands down. */
function handDown(hierarchy: string, handed: string): void {
  const there = wordsIn(join(hierarchy, 'cgroup.controllers'));
  const missing = CONTROLLERS.filter((name) => there.has(name) && !wordsIn(handed).has(name));
  if (missing.length === 0) return;
  try {
    writeFileSync(handed, missing.map((name) => `+${name}`).join(' '));
  } catch (error) {
    throw new Fault(
      'unavailable',
      `${handed}: ${missing.join(', ')} cannot be handed down (${messageOf(error)}): expected the machine's ` +
        'own root cgroup, or one without processes, as a container has it after all of them were moved below',
    );
  }
}

/** With v1 a new one may use no processor and no memory until it is told which. */
function inheritSets(hierarchy: string, path: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const inherited = join(hierarchy, file);
    if (existsSync(inherited)) writeFileSync(join(path, file), readFileSync(inherited));
  }
}

function wordsIn(file: string): Set<string> {
  return new Set(readFileSync(file, 'utf8').split(/\s+/));
}

/** The folders of a cgroup, one for each hierarchy that has it. */
export function findCgroups(name: string, root = CGROUPS): string[] {
  const all = [root, ...foldersIn(root)].map((hierarchy) => join(hierarchy, name));
  return all.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** Removes a cgroup, and those in it, from each hierarchy. Its processes have ended or are about to. */
export async function removeCgroups(name: string): Promise<void> {
  const deadline = performance.now() + EMPTY_MS;
  for (const path of findCgroups(name)) {
    while (!tryRemove(path)) {
      if (performance.now() > deadline) {
        throw new Fault('internal', `cgroup ${path} cannot be removed: it has processes`);
      }
      await delay(STEP_MS);
    }
  }
}

/** The files in a cgroup are the kernel's: only folders are removed, the inner ones first. */
function tryRemove(path: string): boolean {
  if (!foldersIn(path).every(tryRemove)) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  } catch {
    return [];
  }
}
