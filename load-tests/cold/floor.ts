import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ENV_READY_FD, ENV_SOCKET } from '#domain/launch.ts';
import { ENV_INSTANCE } from '#runtime/local/process/sweep.ts';
import { exchange, type Place } from '../measure/exchange.ts';
import { type InstanceProcess, instancesOf, wordsOf } from '../measure/instances.ts';
import { pageOut } from './paging.ts';

/** The descriptor that the runtime hands over: a listening socket, or the readiness pipe. */
const EXTRA_FD = 3;

/** A program exactly as Rouse starts it: read from an instance that runs. */
export interface Learnt {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** One start by the bare loop, in milliseconds from the decision. */
export interface Floor {
  readonly ms: number;
  /** What a server of ours says that loading the model took. */
  readonly loadMs: number;
}

/**
 * Of the instance of `model` that the Rouse with this pid runs. Without its mark: whatever bears it is ended with the
 * instance.
 */
export function learn(rouse: number, model: string): Learnt {
  const { pid, environment: marked } = processOf(rouse, model);
  const { [ENV_INSTANCE]: _mark, ...environment } = marked;
  return {
    argv: wordsOf(`/proc/${pid}/cmdline`),
    environment,
    cwd: readlinkSync(`/proc/${pid}/cwd`),
  };
}

export function pidOf(rouse: number, model: string): number {
  return processOf(rouse, model).pid;
}

function processOf(rouse: number, model: string): InstanceProcess {
  const found = instancesOf(rouse).find((each) => each.model === model);
  if (!found) throw new Error(`no process runs ${model}`);
  return found;
}

/** A bare loop: what any platform takes at least. */
export interface Bare {
  readonly wake: (request: string) => Promise<Floor>;
  readonly close: () => Promise<void>;
}

/** Starts it, sends one request, ends it; again and again. */
export function createBareStarts(learnt: Learnt, folder: string): Bare {
  return {
    async wake(request) {
      const decidedAt = performance.now();
      const started = await start(learnt, folder);
      const exited = once(started.child, 'exit');
      try {
        const loadMs = await started.ready;
        return { ms: (await ask(started.place, request)) - decidedAt, loadMs };
      } finally {
        started.child.kill('SIGKILL');
        await exited;
      }
    },
    async close() {},
  };
}

/** Starts it once and freezes it after each request, as a whole. `paged`: and has its memory paged out then. */
export async function createFrozen(
  learnt: Learnt,
  folder: string,
  request: string,
  paged: boolean,
): Promise<Bare> {
  const { child, place, ready } = await start(learnt, folder);
  const exited = once(child, 'exit');
  const group = -(child.pid ?? 0);
  const loadMs = await ready;
  await ask(place, request);
  await freeze();
  return {
    async wake(again) {
      const decidedAt = performance.now();
      process.kill(group, 'SIGCONT');
      const firstByteAt = await ask(place, again);
      await freeze();
      return { ms: firstByteAt - decidedAt, loadMs };
    },
    async close() {
      child.kill('SIGKILL');
      await exited;
    },
  };

  async function freeze(): Promise<void> {
    process.kill(group, 'SIGSTOP');
    if (paged) await pageOut(-group);
  }
}

async function start(learnt: Learnt, folder: string): Promise<Started> {
  return ENV_SOCKET in learnt.environment ? onSocket(learnt, folder) : await onPort(learnt);
}

/** When the first byte of the answer came. */
async function ask(place: Place, request: string): Promise<number> {
  const { firstByteAt, status, body } = await exchange(place, request);
  if (status !== 200) throw new Error(`the bare program answered ${status}: ${body}`);
  return firstByteAt;
}

interface Started {
  readonly child: ChildProcess;
  readonly place: Place;
  readonly ready: Promise<number>;
}

/** A socket that listens before the program runs: connecting succeeds at once. */
async function onPort(learnt: Learnt): Promise<Started> {
  const server = createServer();
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const child = run(learnt, learnt.environment, descriptorOf(server));
  server.close();
  return { child, place: { port }, ready: Promise.resolve(0) };
}

/** A server of ours: a Unix socket, and a pipe that says when it listens. */
function onSocket(learnt: Learnt, folder: string): Started {
  const path = join(folder, 'bare');
  rmSync(path, { force: true });
  const variables = { [ENV_SOCKET]: path, [ENV_READY_FD]: String(EXTRA_FD) };
  const child = run(learnt, { ...learnt.environment, ...variables }, 'pipe');
  const pipe = child.stdio[EXTRA_FD];
  if (!(pipe instanceof Readable)) throw new Error('there is no readiness pipe');
  return { child, place: { path }, ready: Promise.race([readyOf(pipe), failOnExit(child)]) };
}

async function readyOf(pipe: Readable): Promise<number> {
  const [line]: unknown[] = await once(pipe, 'data');
  const said: { load?: number; error?: string } = JSON.parse(String(line));
  if (said.error !== undefined) throw new Error(said.error);
  return said.load ?? 0;
}

/** It ends when it is killed, too: by then nobody waits for this any more. */
async function failOnExit(child: ChildProcess): Promise<never> {
  let wrote = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (wrote += text));
  const [code, signal]: unknown[] = await once(child, 'close');
  throw new Error(`the bare program ended (${String(signal ?? code)}): ${wrote}`);
}

function run(learnt: Learnt, env: Readonly<Record<string, string>>, extra: number | 'pipe') {
  const [program = '', ...args] = learnt.argv;
  return spawn(program, args, {
    cwd: learnt.cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', extra],
  });
}

function descriptorOf(server: Server): number {
  const handle: unknown = Reflect.get(server, '_handle');
  const fd: unknown = typeof handle === 'object' && handle ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number') throw new Error('the listening socket has no descriptor');
  return fd;
}
