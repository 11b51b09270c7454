import { type ChildProcess, spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

export interface Ended {
  /** Null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects only when it cannot be started, or after its end when it was aborted. */
export async function runProgram(
  [program = '', ...args]: readonly string[],
  options: {
    readonly input?: AsyncIterable<Buffer> | string;
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    /** Sends SIGINT, upon which programs end also what they have started. */
    readonly signal?: AbortSignal;
  } = {},
): Promise<Ended> {
  const { input = '', env, cwd, signal } = options;
  signal?.throwIfAborted();
  const child = spawn(program, args, { env, cwd, stdio: 'pipe', signal, killSignal: 'SIGINT' });
  // It may end before it has read all: its status says why.
  const source = typeof input === 'string' ? [Buffer.from(input)] : input;
  const written = pipeline(Readable.from(source), child.stdin).catch(() => {});
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    untilEnded(child),
    written,
  ]);
  signal?.throwIfAborted();
  return { code, stdout, stderr };
}

/** Resolves with the status of a program; null: a signal ended it. Rejects when it could not be started. */
export async function untilEnded(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    // An abort is told at once as an error; the end comes later.
    child.once('error', (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.once('close', resolve);
  });
}
