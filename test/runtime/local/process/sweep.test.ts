import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  systemProcesses,
  type ProcessTable,
  type ProcessStat,
} from '#runtime/local/process/proc.ts';
import { descendantsOf, sweep } from '#runtime/local/process/sweep.ts';

interface Fake extends ProcessStat {
  readonly environment: string;
}

const MARK = 'ROUSE_INSTANCE=state/life-1\0';
const NOBODY = new Set<number>();

function process_(pid: number, change: Partial<Fake> = {}): Fake {
  const base = { parent: 1, session: pid, startTicks: 100, isDead: false, environment: '' };
  return { pid, cpuSeconds: 0, memoryBytes: 0, ...base, ...change };
}

/** Processes that do not exist. `onList` may change them between one look and the next. */
function machine(table: Fake[], onList: () => void = () => {}) {
  const killed: number[] = [];
  const stopped: number[] = [];
  const processes: ProcessTable = {
    list() {
      const seen = table.filter(({ pid }) => !killed.includes(pid));
      onList();
      return seen;
    },
    stat: (pid) => table.find((one) => one.pid === pid),
    children: (pid) => table.filter(({ parent }) => parent === pid).map((one) => one.pid),
    environment(pid) {
      return Buffer.from(table.find((one) => one.pid === pid)?.environment ?? '');
    },
    signal(pid, signal) {
      (signal === 'SIGKILL' ? killed : stopped).push(pid);
    },
  };
  return { processes, killed, stopped, table };
}

const sweepMark = (processes: ProcessTable, prefix = 'state/'): number =>
  sweep(processes, { prefixes: [prefix], leaders: [] }, NOBODY);

test('finds the mark wherever it stands, and nothing that only looks like it', () => {
  const { processes, killed } = machine([
    process_(10, { environment: MARK }),
    process_(11, { environment: `A=1\0${MARK}` }),
    process_(12, { environment: `XROUSE_INSTANCE=state/life-1\0` }),
    process_(13, { environment: `XROUSE_INSTANCE=state/\0${MARK}` }),
    process_(14, { environment: 'ROUSE_INSTANCE=states/life-1\0' }),
    process_(15, { environment: MARK, isDead: true }),
  ]);
  sweepMark(processes);
  expect(killed).toEqual([10, 11, 13]);
});

test('one instance is not another whose name begins the same', () => {
  const { processes, killed } = machine([
    process_(10, { environment: MARK }),
    process_(11, { environment: 'ROUSE_INSTANCE=state/life-10\0' }),
  ]);
  sweepMark(processes, 'state/life-1\0');
  expect(killed).toEqual([10]);
});

test('follows children, and the session of a first process, without a mark', () => {
  const { processes, killed } = machine([
    process_(10),
    process_(11, { parent: 10 }),
    process_(12, { parent: 11 }),
    process_(13, { session: 10 }),
    process_(14),
  ]);
  sweep(processes, { prefixes: [], leaders: [{ pid: 10, startTicks: 100 }] }, NOBODY);
  expect(killed.toSorted((a, b) => a - b)).toEqual([10, 11, 12, 13]);
});

test('finds who was noted before the chain of parents was cut, and nobody who got the pid since', () => {
  const before = machine([
    process_(10),
    process_(11, { parent: 10, startTicks: 110 }),
    process_(12, { parent: 11, startTicks: 120 }),
    process_(13, { parent: 10, startTicks: 130 }),
    process_(14, { parent: 10, startTicks: 90 }),
  ]);
  const leader = { pid: 10, startTicks: 100 };
  const members = descendantsOf(before.processes, leader);
  expect(members.map(({ pid }) => pid)).toEqual([11, 13, 12]);
  expect(descendantsOf(before.processes, { pid: 10, startTicks: 99 })).toEqual([]);
  const after = machine([
    process_(12, { startTicks: 120 }),
    process_(13, { startTicks: 135 }),
    process_(15, { parent: 12 }),
  ]);
  sweep(after.processes, { prefixes: [], leaders: [leader], members }, NOBODY);
  expect(after.killed).toEqual([12, 15]);
});

test('finds the session when its first process is gone', () => {
  const { processes, killed } = machine([process_(13, { session: 10, startTicks: 120 })]);
  sweep(processes, { prefixes: [], leaders: [{ pid: 10, startTicks: 100 }] }, NOBODY);
  expect(killed).toEqual([13]);
});

test('spares those who have the pid, or the session, of one that is gone', () => {
  const { processes, killed, stopped } = machine([
    process_(10, { startTicks: 200 }),
    process_(11, { session: 10, parent: 10, startTicks: 210 }),
  ]);
  sweep(processes, { prefixes: [], leaders: [{ pid: 10, startTicks: 100 }] }, NOBODY);
  expect([...killed, ...stopped]).toEqual([]);
});

test('spares one that got the pid between the look and the kill', () => {
  const { processes, killed, stopped, table } = machine(
    [process_(10, { environment: MARK })],
    () => {
      table[0] = process_(10, { startTicks: 999 });
    },
  );
  sweepMark(processes);
  expect([...killed, ...stopped]).toEqual([]);
});

test('finds what forks while it looks', () => {
  let born = 20;
  const { processes, killed, table } = machine([process_(10, { environment: MARK })], () => {
    if (born < 23) table.push(process_(born++, { parent: 10, startTicks: 300 }));
  });
  sweepMark(processes);
  expect(killed.toSorted((a, b) => a - b)).toEqual([10, 20, 21, 22]);
});

test('spares who is named, and what started too early', () => {
  const { processes, killed } = machine([
    process_(10, { environment: MARK }),
    process_(11, { environment: MARK, startTicks: 50 }),
    process_(12, { environment: MARK }),
  ]);
  const marks = { prefixes: ['state/'], leaders: [], sinceTicks: 60 };
  sweep(processes, marks, new Set([12]));
  expect(killed).toEqual([10]);
});

test('a real process with a pid that we remember for another one lives on', async () => {
  const innocent = spawn('sleep', ['3600'], { detached: true, stdio: 'ignore' });
  await once(innocent, 'spawn');
  const pid = innocent.pid ?? 0;
  const startTicks = (systemProcesses.stat(pid)?.startTicks ?? 0) - 1;
  sweep(systemProcesses, { prefixes: [], leaders: [{ pid, startTicks }] }, NOBODY);
  expect(systemProcesses.stat(pid)?.isDead).toBe(false);
  const ended = once(innocent, 'exit');
  sweep(systemProcesses, { prefixes: [], leaders: [{ pid, startTicks: startTicks + 1 }] }, NOBODY);
  expect(await ended).toEqual([null, 'SIGKILL']);
});
