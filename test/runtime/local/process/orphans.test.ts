import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { until } from '#test/until.ts';
import { fixture, isStopped, pidsMarked, programArgs, spawners } from '../harness.ts';

/** Enough moments to hit a start, a stop, a sweep and the quiet between them. */
const KILLS = 24;
const LATEST_KILL_MS = 200;

let folder: string;
let stateId: string;
let hosts: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rt-'));
  stateId = basename(folder);
  hosts = [];
});
afterEach(async () => {
  for (const host of hosts) host.kill('SIGKILL');
  await until('the watchdogs are gone', () => watchdogs().length === 0);
  await rm(folder, { recursive: true, force: true });
});

async function startHost(...programs: string[][]): Promise<ChildProcess> {
  const args = [fixture('host.ts'), join(folder, 'runtime'), stateId];
  const argv = [...args, ...programs.map((program) => JSON.stringify(program))];
  const host = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  hosts.push(host);
  await once(host.stdout, 'data');
  return host;
}

async function kill(host: ChildProcess): Promise<void> {
  const ended = once(host, 'exit');
  host.kill('SIGKILL');
  await ended;
}

/** The watchdogs of this test's state. */
function watchdogs(): number[] {
  return systemProcesses
    .list()
    .filter(({ pid, isDead }) => !isDead && commandLine(pid).includes(`${stateId}/`))
    .filter(({ pid }) => commandLine(pid).includes('watchdog'))
    .map(({ pid }) => pid);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** Ours by mark, session or parents, as the test sees it. */
function family(): number[] {
  const all = systemProcesses.list().filter(({ isDead }) => !isDead);
  const found = new Set(pidsMarked(stateId));
  for (const pid of found) {
    for (const stat of all) if (stat.session === pid || stat.parent === pid) found.add(stat.pid);
  }
  return Array.from(found);
}

const alive = (pids: number[]): number[] =>
  pids.filter((pid) => systemProcesses.stat(pid)?.isDead === false);

const SLEEPER = ['/bin/sh', '-c', 'setsid sleep 3600 & exec sleep 3600'];
const FROZEN = ['/bin/sh', '-c', 'sleep 3600 & kill -STOP $$'];
const SHORT = ['/bin/sh', '-c', '(setsid sleep 3600 &) ; exit 1'];

test(`${KILLS} times killed at any moment, it leaves nothing behind`, async () => {
  const round = async (ms: number): Promise<void> => {
    const host = await startHost(SLEEPER, FROZEN, SHORT);
    await new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
    await kill(host);
    await until('nothing is left', () => pidsMarked(stateId).length === 0);
    await until('nothing starts programs', () => spawners(stateId).length === 0);
  };
  const moment = fc.integer({ min: 0, max: LATEST_KILL_MS });
  await fc.assert(fc.asyncProperty(moment, round), { numRuns: KILLS, endOnFailure: true });
  // What was being born at the kill shows its mark only later; the watchdogs look for it for a while.
  await until('the watchdogs are gone', () => watchdogs().length === 0);
  expect(pidsMarked(stateId)).toEqual([]);
}, 240_000);

test('what left its session, lost its mark or is frozen goes, too', async () => {
  const host = await startHost(programArgs('family'));
  // The program, its child in another session and that one's frozen child, two without a mark.
  await until('the family is there', () => family().length >= 5);
  const pids = family();
  await kill(host);
  await until('nothing is left', () => alive(pids).length === 0);
});

test('when the watchdog was killed as well, the next start cleans up', async () => {
  const host = await startHost(SLEEPER, FROZEN);
  await until('instances run', () => pidsMarked(stateId).length >= 3);
  for (const pid of watchdogs()) process.kill(pid, 'SIGKILL');
  await kill(host);
  const left = pidsMarked(stateId);
  expect(left.length).toBeGreaterThan(0);
  const next = await startHost();
  await until('nothing is left', () => alive(left).length === 0);
  // In the next one a process stands by, sooner or later.
  expect(pidsMarked(stateId).filter((pid) => !standsBy(pid))).toEqual([]);
  await kill(next);
});

test('a watchdog that is killed is replaced, and the new one knows all', async () => {
  const host = await startHost(programArgs('family'));
  await until('the family is there', () => family().length >= 5);
  const pids = family();
  const [first = 0] = watchdogs();
  process.kill(first, 'SIGKILL');
  await until('there is another', () => watchdogs().some((pid) => pid !== first && isAtWork(pid)));
  await kill(host);
  await until('nothing is left', () => alive(pids).length === 0);
});

/** It holds off signals by then: it was told all when it was started, some time before. */
function isAtWork(pid: number): boolean {
  const [, caught = '0'] = /^SigCgt:\s*(\w+)$/m.exec(statusOf(pid)) ?? [];
  return (BigInt(`0x${caught}`) & 1n) === 1n;
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}

function standsBy(pid: number): boolean {
  return systemProcesses.environment(pid)?.includes('ROUSE_STANDBY=') === true;
}

test('what stands by and what is parked goes with it, too', async () => {
  const host = await startHost(programArgs('serve'));
  const standing = (): number[] => pidsMarked(stateId).filter(standsBy);
  await until('one stands by', () => standing().length === 1);
  await until('one is parked', () => pidsMarked(stateId).some(isStopped));
  const pids = pidsMarked(stateId);
  for (const pid of watchdogs()) process.kill(pid, 'SIGSTOP');
  await kill(host);
  // Who stands by ends by itself, even where nobody ends it.
  await until('nobody stands by', () => standing().length === 0);
  for (const pid of watchdogs()) process.kill(pid, 'SIGCONT');
  await until('nothing is left', () => alive(pids).length === 0);
});
