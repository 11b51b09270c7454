import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CGROUPS } from './cgroups.ts';

/**
 * Settings of the kernel that kubelet changes, below /proc/sys. They are of the whole machine: in the box each one is
 * a file, which kubelet may change as it likes.
 */
const SHIELDED = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/** The files that shield the settings, by path below `sysctl`; with what the machine has now. */
export function readShielded(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    SHIELDED.map((name) => [shieldName(name), readFileSync(join('/proc/sys', name), 'utf8')]),
  );
}

/**
 * The commands that make the mounts of a box, in order. `lib`, `log` and `sysctl` are folders of the cluster's state;
 * its cgroup is all that there is in each of the hierarchies.
 */
export function makeMounts(
  folders: { readonly lib: string; readonly log: string; readonly sysctl: string },
  cgroup: string,
  hierarchies: readonly string[],
): string[][] {
  return [
    ['mount', '-t', 'proc', 'proc', '/proc'],
    ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run'],
    ['mount', '--bind', folders.lib, '/var/lib'],
    ['mount', '--bind', folders.log, '/var/log'],
    ...SHIELDED.map((name) => [
      'mount',
      '--bind',
      join(folders.sysctl, shieldName(name)),
      join('/proc/sys', name),
    ]),
    ...replaceHierarchies(cgroup, hierarchies),
    // What kubelet mounts has to appear to containerd's programs and the other way round; nothing goes back to the
    // machine. Last: two views of one folder that are made before do not share.
    ['mount', '--make-rshared', '/'],
  ];
}

/** The machine's own are unmounted: programs take the first that is listed for the one that is seen. */
function replaceHierarchies(cgroup: string, hierarchies: readonly string[]): string[][] {
  const made = '/run/cgroup';
  return [
    ['mount', '--mkdir', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', made],
    ...hierarchies.map((path) => [
      'mount',
      '--mkdir',
      '--bind',
      join(path, cgroup),
      join(made, relative(CGROUPS, path)),
    ]),
    ['umount', '--recursive', CGROUPS],
    ['mount', '--move', made, CGROUPS],
  ];
}

function shieldName(setting: string): string {
  return setting.replaceAll('/', '.');
}
