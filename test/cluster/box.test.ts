import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { findCgroups, findHierarchies, makeCgroups } from './cgroups.ts';
import { takeDown } from './down.ts';
import { findBox } from './enter.ts';
import { cacheFolder, cgroupName, partsOf, stateFolder } from './folders.ts';
import { makeMounts, readShielded } from './mounts.ts';
import { isAlive, parseRecord, readRecord, writeRecord } from './record.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-box-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a box is known by pid and start, and by nothing else', async () => {
  const path = join(folder, 'state', 'box.json');
  const startTicks = systemProcesses.stat(process.pid)?.startTicks ?? 0;
  const own = { pid: process.pid, startTicks };
  await writeRecord(path, own);
  expect(await readRecord(path)).toEqual(own);
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTicks: startTicks - 1 })).toBe(false);
  expect(await readRecord(join(folder, 'none'))).toBeUndefined();
});

test.each([
  '',
  '{"pid":1',
  '{"pid":-1,"startTicks":1}\n',
  '{"pid":1}\n',
  '{"pid":"1","startTicks":1}\n',
])('no record: %j', (text) => expect(parseRecord(text)).toBeUndefined());

test('another process that has the pid by now is not killed; the state goes', async () => {
  const state = join(folder, 'state');
  const other = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: 'pipe' });
  try {
    await once(other, 'spawn');
    const pid = other.pid ?? 0;
    const startTicks = (systemProcesses.stat(pid)?.startTicks ?? 0) - 1;
    await writeRecord(partsOf(state).record, { pid, startTicks });
    await expect(findBox(state)).rejects.toThrow('no cluster is up');
    await takeDown(state);
    expect(existsSync(state)).toBe(false);
    // It still does what it is told.
    other.stdin.end();
    expect(await once(other, 'exit')).toEqual([0, null]);
  } finally {
    other.kill('SIGKILL');
  }
});

test('taking down what is not there is no failure', async () => {
  await takeDown(join(folder, 'none'));
});

test('a cgroup is found in each hierarchy, and no other one', () => {
  const name = cgroupName('a');
  for (const path of ['cpu', 'memory/inner', 'pids'])
    mkdirSync(join(folder, path), { recursive: true });
  for (const path of [`cpu/${name}`, `memory/inner/${name}`, `pids/${name}x`, name]) {
    mkdirSync(join(folder, path));
  }
  writeFileSync(join(folder, 'memory', name), 'a file');
  expect(findCgroups(name, folder)).toEqual([join(folder, name), join(folder, 'cpu', name)]);
});

test('hierarchies are found wherever they are mounted', () => {
  const mounts = `cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
`;
  expect(findHierarchies(mounts)).toEqual(['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/unified']);
  expect(findHierarchies('cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n')).toEqual(['/sys/fs/cgroup']);
});

test('with cgroups v2 what limits pods is handed down, once', () => {
  const control = join(folder, 'cgroup.subtree_control');
  writeFileSync(join(folder, 'cgroup.controllers'), 'cpuset cpu io memory hugetlb pids rdma\n');
  writeFileSync(control, 'memory pids\n');
  makeCgroups('own', [folder]);
  expect(readFileSync(control, 'utf8')).toBe('+cpu +cpuset +io');
  writeFileSync(control, 'cpu cpuset io memory pids\n');
  makeCgroups('other', [folder]);
  expect(readFileSync(control, 'utf8')).toBe('cpu cpuset io memory pids\n');
  expect(findCgroups('own', folder)).toEqual([join(folder, 'own')]);
  rmSync(control);
  // A file that nobody may write to.
  symlinkSync('/proc/sys/kernel/ostype', control);
  expect(() => makeCgroups('own', [folder])).toThrow(
    /subtree_control: cpu, cpuset, io, memory, pids cannot be handed down \(EACCES.*: expected/,
  );
});

test('with cgroups v1 a cgroup may use what the one above may', () => {
  const hierarchy = join(folder, 'cpuset');
  mkdirSync(hierarchy);
  writeFileSync(join(hierarchy, 'cpuset.cpus'), '0-1\n');
  makeCgroups('own', [hierarchy]);
  expect(readFileSync(join(hierarchy, 'own', 'cpuset.cpus'), 'utf8')).toBe('0-1\n');
});

test('two states are two clusters', () => {
  expect(cgroupName('a')).toMatch(/^rouse-cluster-[0-9a-f]{8}$/);
  expect(cgroupName('a')).not.toBe(cgroupName('b'));
  expect(stateFolder({ XDG_STATE_HOME: '/s' })).toBe('/s/rouse/cluster');
  expect(cacheFolder({ XDG_CACHE_HOME: '/c' })).toBe('/c/rouse/cluster');
});

test('the mounts of a box: all is shared at the end, each shielded setting has a file', () => {
  const folders = { lib: '/s/lib', log: '/s/log', sysctl: '/s/sysctl' };
  const cpu = '/sys/fs/cgroup/cpu';
  const commands = makeMounts(folders, 'own', [cpu]).map((words) => words.join(' '));
  expect(commands.at(-1)).toBe('mount --make-rshared /');
  expect(commands).toContain('mount --bind /s/lib /var/lib');
  expect(commands).toContain('mount --mkdir --bind /sys/fs/cgroup/cpu/own /run/cgroup/cpu');
  const unified = makeMounts(folders, 'own', ['/sys/fs/cgroup']).map((words) => words.join(' '));
  expect(unified).toContain('mount --mkdir --bind /sys/fs/cgroup/own /run/cgroup');
  const shields = commands.filter((command) => / \/proc\/sys\//.test(command));
  expect(shields).toHaveLength(Object.keys(readShielded()).length);
  expect(shields).toContain(
    'mount --bind /s/sysctl/vm.overcommit_memory /proc/sys/vm/overcommit_memory',
  );
});
