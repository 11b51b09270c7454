import { readdir, readFile, readlink } from 'node:fs/promises';

const ESTABLISHED = '01';

/**
 * Who has accepted which connection to a port of this machine, as the system tells it: the caller's port → the
 * pid of the process that holds the other end. Connections that nobody has accepted are not in it.
 */
export async function ownersOf(
  port: number,
  pids: readonly number[],
): Promise<Map<number, number>> {
  const owners = new Map<number, number>();
  for (const pid of pids) {
    const held = await socketsOf(pid);
    const table = await readFile(`/proc/${pid}/net/tcp`, 'latin1').catch(() => '');
    for (const line of table.split('\n').slice(1)) {
      const [, local = '', remote = '', state, , , , , , inode = ''] = line.trim().split(/\s+/);
      if (state !== ESTABLISHED || portOf(local) !== port) continue;
      if (held.has(inode)) owners.set(portOf(remote), pid);
    }
  }
  return owners;
}

async function socketsOf(pid: number): Promise<Set<string>> {
  const inodes = new Set<string>();
  for (const name of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => '');
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  return inodes;
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), 16);
}
