import { rmSync } from 'node:fs';
import { hasProc, systemProcesses } from './proc.ts';
import { sweep, type Leader } from './sweep.ts';

/**
 * A process of its own that outlives Rouse for a moment: when the pipe from Rouse ends, Rouse is dead, and
 * everything it started is killed. It is told each instance's first process: `+<pid> <start>`, `-<pid>`;
 * `.` says that all is in order and it may go; `?<number>` is answered with the number, as a sign of life.
 * Arguments: the mark of this life's instances, and the folder with their sockets.
 */

/**
 * A process that was being born when Rouse died gets its mark only with its exec: so we look again, after
 * these waits.
 */
const LOOK_AGAIN_MS = [0, 20, 50, 100, 300, 1000, 3000];

const [mark = '', runFolder = ''] = process.argv.slice(2);
const leaders = new Map<number, Leader>();
let rest = '';

function obey(line: string): void {
  const [pid = 0, startTicks = 0] = line.slice(1).split(' ').map(Number);
  if (line === '.') process.exit(0);
  else if (line.startsWith('?')) process.stdout.write(`${line.slice(1)}\n`);
  else if (line.startsWith('+')) leaders.set(pid, { pid, startTicks });
  else if (line.startsWith('-')) leaders.delete(pid);
}

function killAll(): void {
  const marks = { prefixes: [mark], leaders: Array.from(leaders.values()) };
  if (hasProc()) sweep(systemProcesses, marks, new Set([process.pid]));
  else for (const { pid } of leaders.values()) systemProcesses.signal(-pid, 'SIGKILL');
}

function avenge(): void {
  killAll();
  rmSync(runFolder, { recursive: true, force: true });
  for (const ms of LOOK_AGAIN_MS) setTimeout(killAll, ms);
}

if (mark === '' || runFolder === '') throw new Error('the watchdog is started by Rouse only');
// Ends with Rouse only: a signal to all processes of a terminal or a service is not for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.stdin.setEncoding('latin1');
process.stdin.on('data', (chunk) => {
  const lines = `${rest}${String(chunk)}`.split('\n');
  rest = lines.pop() ?? '';
  lines.forEach(obey);
});
process.stdin.once('close', avenge);
process.stdin.on('error', () => process.stdin.destroy());
// Nobody reads any more: the end of the other pipe says what that means.
process.stdout.on('error', () => {});
