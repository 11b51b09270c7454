import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Fault } from '#lib/fault.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import { lastLines } from './log-tail.ts';
import { type BoxRecord, isAlive, writeRecord } from './record.ts';

/**
 * The box: network, mounts and processes of its own. Everything of a cluster is in it.
 *
 * 1. A box lives only if its first process was written down: it waits for that, and ends when the harness does.
 * 2. When the first process ends, the kernel ends all others of the box, and its mounts, interfaces and rules.
 * 3. Nothing is killed but a process whose pid and start are those that were written down.
 */

/** The kernel has to end some dozens of processes. */
const END_MS = 30_000;
const STEP_MS = 20;
const run = promisify(execFile);

/** Starts a box whose first process is the program `first`. */
export async function startBox(first: string, record: string): Promise<BoxRecord> {
  const args = ['--mount', '--net', '--pid', '--fork', '--', first, 'gate'];
  // Detached: Ctrl-C is for the harness, which then ends the box.
  const child = spawn('unshare', args, { detached: true, stdio: 'pipe' });
  child.stdin.on('error', () => {});
  // It is cut off below, once the box lives.
  const complaint = text(child.stderr).catch(() => '');
  const lines = createInterface(child.stdout);
  const said = once(lines, 'line').then(([line]) => Number(line));
  const failed = once(child, 'exit').then(() => undefined);
  const pid = await Promise.race([said, failed]);
  const stat = pid === undefined ? undefined : systemProcesses.stat(pid);
  if (!stat)
    throw new Fault('start_failed', `the box did not start:\n${lastLines(await complaint)}`);
  const box = { pid: stat.pid, startTicks: stat.startTicks };
  await writeRecord(record, box);
  child.stdin.end('\n');
  lines.close();
  // The box keeps its ends of them; the harness must not wait for it.
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  child.unref();
  return box;
}

/** The words of a command that runs another one in the box, in a folder that the box has, too. */
export function enterArgs(box: BoxRecord, folder: string): string[] {
  const namespaces = ['--target', `${box.pid}`, '--mount', '--net', '--pid'];
  return ['nsenter', ...namespaces, '--', 'env', `--chdir=${folder}`];
}

/** Runs commands in the box, one after the other. Rejects with the first that fails. */
export async function runAll(
  box: BoxRecord,
  commands: readonly (readonly string[])[],
): Promise<void> {
  for (const command of commands) {
    const [enter = '', ...words] = enterArgs(box, '/');
    await run(enter, [...words, ...command]);
  }
}

/** Ends all that is in a box. Resolves when the kernel has done so; at once when it is gone already. */
export async function endBox(box: BoxRecord): Promise<void> {
  if (!isAlive(box)) return;
  systemProcesses.signal(box.pid, 'SIGKILL');
  const deadline = performance.now() + END_MS;
  while (isAlive(box)) {
    if (performance.now() > deadline) {
      throw new Fault('internal', `process ${box.pid}, the first of the box, does not end`);
    }
    await delay(STEP_MS);
  }
}
