import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, type RequestOptions, Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { InspectionLine, ReadyLine } from '#domain/launch.ts';

/** Model servers as the runtime starts them: real processes, a Unix socket, a pipe on descriptor 3. */

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const FIXTURES = join(ROOT, 'test/fixtures/onnx');

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface ServerProcess {
  readonly ready: ReadyLine;
  readonly child: ChildProcess;
  readonly socketPath: string;
  /** All that it wrote to stdout and stderr so far. */
  output(): string;
  call(path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Status and signal of its end, when all that it wrote is in `output`. */
  ended(): Promise<readonly [number | null, NodeJS.Signals | null]>;
  stop(): Promise<void>;
}

export async function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'rouse-functions-'));
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

function start(command: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const [program = '', ...args] = command;
  return spawn(program, args, {
    cwd: ROOT,
    // No bytecode beside the samples: their folders are content that is uploaded as it stands.
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
}

function pipeOf(child: ChildProcess): Readable {
  const pipe = child.stdio[3];
  if (!pipe || !('read' in pipe)) throw new Error('no pipe on descriptor 3');
  return pipe;
}

/** Runs the inspection to its end and returns the line that it wrote. */
export async function inspect(env: Readonly<Record<string, string>>): Promise<InspectionLine> {
  const child = start([process.execPath, 'functions/inspect.ts'], { ROUSE_RESULT_FD: '3', ...env });
  const [line] = await Promise.all([text(pipeOf(child)), once(child, 'exit')]);
  return JSON.parse(line);
}

const SERVERS = {
  node: [process.execPath, 'functions/serve.ts'],
  python: ['python3', 'functions/python/serve.py'],
};

/** Starts a server and waits for its line. `folder` takes the socket. */
export async function serve(
  kind: keyof typeof SERVERS,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const socketPath = join(folder, `${process.pid}-${socketsMade++}.sock`);
  const child = start(SERVERS[kind], { ROUSE_SOCKET: socketPath, ROUSE_READY_FD: '3', ...env });
  const exit = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (part: string) => (output += part));
  }
  const line = await text(pipeOf(child));
  const agent = new Agent({ keepAlive: true });
  return {
    ready: line === '' ? { error: `no line; it wrote: ${output}` } : JSON.parse(line),
    child,
    socketPath,
    output: () => output,
    call: (path, body, headers = {}) => call({ socketPath, agent, path, headers }, body),
    ended: () => exit,
    async stop() {
      child.kill('SIGKILL');
      await exit;
      agent.destroy();
    },
  };
}

let socketsMade = 0;

/** A body makes it a POST: bytes and text as they are, anything else as JSON. */
export function call(options: RequestOptions, body?: unknown): Promise<Reply> {
  const method = options.method ?? (body === undefined ? 'GET' : 'POST');
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, method }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', reject);
      response.once('end', () => {
        const bytes = Buffer.concat(parts);
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: bytes, text: bytes.toString() });
      });
    });
    sent.once('error', reject);
    const raw = body instanceof Uint8Array || typeof body === 'string';
    sent.end(body === undefined || raw ? body : JSON.stringify(body));
  });
}
