import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Fault } from '#lib/fault.ts';
import { enterArgs } from './box.ts';
import { ADMIN, partsOf } from './folders.ts';
import type { Plan } from './plan.ts';
import { type BoxRecord, isAlive, readRecord } from './record.ts';
import { untilEnded } from './run-program.ts';

/** Throws a Fault when there is none. */
export function requireCommand(command: readonly string[]): void {
  if (command.length > 0) return;
  throw new Fault(
    'invalid',
    'exec needs a command, such as: exec kubectl get pods -A, or: exec bash',
  );
}

/** The box of a running cluster. Throws a Fault when there is none. */
export async function findBox(state: string): Promise<BoxRecord> {
  const box = await readRecord(partsOf(state).record);
  if (box && isAlive(box)) return box;
  throw new Fault('not_found', 'no cluster is up; npm run cluster -- up makes one');
}

/** A suite removes what its tests have made. */
const END_MS = 20_000;
/** Programs of the plan that commands in the box find by their names. */
const TOOLS = ['kubectl', 'helm'];

export async function readPlan(state: string): Promise<Plan> {
  return JSON.parse(await readFile(partsOf(state).plan, 'utf8'));
}

/** What starts a command in the box: its words and its environment, in which `kubectl` is found and works. */
async function makeEntry(
  state: string,
  command: readonly string[],
  folder: string,
): Promise<{ readonly words: readonly string[]; readonly env: NodeJS.ProcessEnv }> {
  const box = await findBox(state);
  const { programs } = await readPlan(state);
  const tools = TOOLS.flatMap((name) => programs[name] ?? []).map((path) => dirname(path));
  const path = [...tools, process.env['PATH'] ?? ''].join(delimiter);
  const env = { ...process.env, PATH: path, KUBECONFIG: ADMIN };
  return { words: [...enterArgs(box, folder), ...command], env };
}

/**
 * Runs a command in the box, with the terminal of this process. Resolves with its status. With `onLine` its output is
 * not printed but given line by line. With `signal` it gets no terminal, and is ended with all that it started.
 */
export async function runInside(
  state: string,
  command: readonly string[],
  options: {
    readonly folder?: string;
    readonly onLine?: (line: string) => void;
    readonly env?: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
  } = {},
): Promise<number> {
  const { folder = process.cwd(), onLine, signal } = options;
  const { words, env } = await makeEntry(state, command, folder);
  const [program = '', ...args] = words;
  const output = onLine ? 'pipe' : 'inherit';
  const child = spawn(program, args, {
    stdio: [signal ? 'ignore' : 'inherit', output, 'inherit'],
    env: { ...env, ...options.env },
    detached: signal !== undefined,
  });
  if (child.stdout && onLine) createInterface(child.stdout).on('line', onLine);
  const release = signal && endWith(signal, child);
  const status = await untilEnded(child);
  release?.();
  return status ?? 1;
}

/** Ends the group of a process when the signal says so: asks it first. Gives what makes an end of that. */
function endWith(signal: AbortSignal, child: ChildProcess): () => void {
  const send = (name: NodeJS.Signals): void => {
    // Its pid is not given to another as long as its end was not told.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, name);
  };
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    send('SIGINT');
    timer = setTimeout(send, END_MS, 'SIGKILL');
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  return () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  };
}

/** Runs a part of the harness itself in the box: `inside-child.ts`. */
export async function runHarness(
  state: string,
  part: 'up' | 'status',
  onLine?: (line: string) => void,
): Promise<number> {
  const command = [process.execPath, join(import.meta.dirname, 'inside-child.ts'), part];
  return await runInside(state, command, { folder: import.meta.dirname, onLine });
}
