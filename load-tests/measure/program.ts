import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { endWithBenchmark } from './ending.ts';
import { until } from './until.ts';

const STARTING = { everyMs: 20, withinMs: 15_000 };
/** Of what it says on stderr: the reason why it does not start comes first. */
const MOST_CHARS = 4096;

/** A program that runs beside the benchmark. */
export interface Program {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts it and waits until something accepts connections on `port`. */
export async function startProgram(
  command: string,
  args: readonly string[],
  port: number,
  { cwd, env }: ProgramOptions = {},
): Promise<Program> {
  const child = spawn(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  endWithBenchmark(child);
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < MOST_CHARS) said += text;
  });
  try {
    await untilListening(port, child);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${command} ${args.join(' ')}\n${said}`, { cause: error });
  }
  return {
    pid: child.pid ?? 0,
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  await until(STARTING, async () => {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${child.exitCode}`);
    const isThere = await accepts(port);
    return isThere ? undefined : `${child.spawnfile} does not listen on port ${port}`;
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
