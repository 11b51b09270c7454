import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { performance } from 'node:perf_hooks';
import { endWithBenchmark } from './ending.ts';
import type { Answer, Question } from './probe.ts';
import { rssOf } from './process.ts';
import { freePort } from './program.ts';
import { pause } from './until.ts';

/** As `npm start` starts it. */
const YOUNG = '--max-semi-space-size=4';
const COMPILED = resolve(import.meta.dirname, '../../node_modules/.cache/rouse');
const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const PROBE = resolve(import.meta.dirname, 'probe.ts');
/** Instances are tiny; the budget must not be what limits their number. */
const BUDGET = '64Gi';

/** What Rouse uses at one moment. */
export interface Sample {
  readonly at: number;
  readonly cpuMicros: { readonly plane: number; readonly control: number; readonly all: number };
  readonly heapBytes: number;
}

/** Milliseconds that a loop came later to its turn than it should. */
export interface LoopDelay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** A real `rouse serve` in a process of its own. */
export interface Rouse {
  readonly pid: number;
  readonly port: number;
  readonly control: string;
  /** ms from the spawn until the data plane said that the routing state is there. */
  readonly announcedMs: number;
  /** ms from the spawn until `/healthz` of the data plane said 200. */
  readonly healthyMs: number;
  readonly rssBytes: () => number;
  readonly sample: (collect?: boolean) => Promise<Sample>;
  /** Of the data plane since the last call; the first call begins it. */
  readonly loopDelay: () => Promise<LoopDelay>;
  readonly stop: () => Promise<void>;
}

/** What is loaded into it before its own code, in each of its threads, and variables for that. */
export interface Preload {
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

/** `probed`: with the probe loaded; without it, exactly as users start it. `more`: flags of `rouse serve`. */
export async function startRouse(
  folder: string,
  probed: boolean,
  more: readonly string[] = [],
  preload?: Preload,
): Promise<Rouse> {
  const port = await freePort();
  const spawnedAt = performance.now();
  const probe = probed ? ['--expose-gc', '--import', PROBE] : [];
  const before = preload ? ['--import', preload.file] : [];
  const addresses = ['--listen', `127.0.0.1:${port}`, '--control', '127.0.0.1:0'];
  const settings = ['--data', folder, '--memory', BUDGET, '--log-level', 'warn'];
  const child = spawn(
    process.execPath,
    [YOUNG, ...probe, ...before, MAIN, 'serve', ...addresses, ...settings, ...more],
    {
      cwd: folder,
      env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...preload?.env },
      stdio: ['ignore', 'pipe', 'inherit', ...(probed ? (['ipc'] as const) : [])],
    },
  );
  endWithBenchmark(child);
  const exited = once(child, 'exit');
  try {
    const healthy = untilHealthy(port, child).then(() => performance.now() - spawnedAt);
    const control = await Promise.race([controlOf(child), failOn(exited)]);
    const announcedMs = performance.now() - spawnedAt;
    const pid = child.pid ?? 0;
    const ask = createAsking(child);
    return {
      pid,
      port,
      control,
      announcedMs,
      healthyMs: await healthy,
      rssBytes: () => rssOf(pid),
      sample: async (collect = false) => sampleOf(await ask({ collect })),
      loopDelay: async () => loopOf(await ask({ collect: false, loop: true })),
      async stop() {
        child.kill('SIGTERM');
        await exited;
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

async function failOn(exited: Promise<unknown>): Promise<never> {
  throw new Error(`rouse ended at its start: ${String(await exited)}`);
}

function controlOf(child: ChildProcess): Promise<string> {
  return new Promise((found) => {
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const control = /control (\S+) ·/.exec(line)?.[1];
      if (control !== undefined) found(control);
    });
  });
}

async function untilHealthy(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    await pause(2);
  }
}

type Answers = ReadonlyMap<Answer['thread'], Answer>;

/** Asks both threads. */
function createAsking(child: ChildProcess): (question: Omit<Question, 'id'>) => Promise<Answers> {
  let lastId = 0;
  return async (question) => {
    const id = ++lastId;
    const got = new Map<Answer['thread'], Answer>();
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const hear = (answer: Answer): void => {
      if (answer.id !== id) return;
      got.set(answer.thread, answer);
      if (got.size === 2) done();
    };
    child.on('message', hear);
    child.send({ id, ...question });
    await promise;
    child.off('message', hear);
    return got;
  };
}

function sampleOf(answers: Answers): Sample {
  const [plane, control] = [answers.get('data plane'), answers.get('control')];
  const sum = (of: (answer: Answer) => number): number =>
    [...answers.values()].reduce((total, answer) => total + of(answer), 0);
  return {
    at: performance.now(),
    cpuMicros: {
      plane: plane?.cpuMicros ?? 0,
      control: control?.cpuMicros ?? 0,
      all: control?.processCpuMicros ?? 0,
    },
    heapBytes: sum((answer) => answer.heapBytes + answer.externalBytes),
  };
}

function loopOf(answers: Answers): LoopDelay {
  return answers.get('data plane')?.loop ?? { p99Ms: 0, maxMs: 0 };
}
