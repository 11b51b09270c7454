import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { until as untilHolds } from '#test/until.ts';

/** A command that hangs is ended, so that it outlives no test. */
const COMMAND_MS = 50_000;
const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const PASSES_ON = resolve(import.meta.dirname, 'programs/passes-on.mjs');
/** Of a platform whose models run `node`: it is that of the tests. */
export const ENV = { PATH: `${join(process.execPath, '..')}:${process.env.PATH}` };

/** A real `rouse serve` in a process of its own, on free ports and in a folder of its own. */
export interface Platform {
  readonly process: ChildProcess;
  readonly pid: number;
  /** `http://127.0.0.1:port` of the data plane and of control. */
  readonly requests: string;
  readonly control: string;
  readonly port: number;
  readonly folder: string;
  output(): string;
  /** Resolves with the output when it fits. */
  until(pattern: RegExp): Promise<string>;
  /** Runs the command line against it. */
  rouse(...args: string[]): Promise<Ran>;
  /** The model's resource, as the API shows it. */
  model(name: string): Promise<ModelShape>;
  /** Resolves when the model fits. */
  untilModel(name: string, fits: (model: ModelShape) => boolean): Promise<ModelShape>;
  /** Its last rollout. */
  rollout(name: string): Promise<RolloutShape>;
  /** Per cent by revision. */
  traffic(name: string): Promise<Record<string, number>>;
  /** Sends a signal and waits for the end; the exit status, or the signal that ended it. */
  end(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export interface ModelShape {
  readonly status: {
    readonly state: string;
    readonly traffic: readonly { revision: string; percent: number }[];
    readonly revisions: readonly { name: string; state: string; reason: string }[];
    readonly instances: readonly { id: string; revision: string; state: string }[];
  };
}

export interface RolloutShape {
  readonly phase: string;
  readonly stable: string;
  readonly canary: string;
  readonly percent: number;
  readonly why: string;
}

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function makeFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'rouse-test-'));
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** On free ports, with its state in the folder. */
export function serveArguments(folder: string): string[] {
  const any = '127.0.0.1:0';
  return ['serve', '--listen', any, '--control', any, '--data', join(folder, 'state')];
}

export async function startPlatform(
  folder: string,
  options: {
    args?: readonly string[];
    env?: Record<string, string>;
    cwd?: string;
    /** In a process group of its own, behind a parent that passes signals on; it is ended as a group. */
    group?: boolean;
  } = {},
): Promise<Platform> {
  const { group = false } = options;
  const program = group ? [PASSES_ON, MAIN] : [MAIN];
  const child = spawn(
    process.execPath,
    [...program, ...serveArguments(folder), ...(options.args ?? [])],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd ?? folder,
      env: { ...process.env, ...options.env },
      detached: group,
    },
  );
  const exited = once(child, 'exit').then(
    ([code, signal]: (number | NodeJS.Signals | null)[]) => code ?? signal ?? 0,
  );
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output += `${line}\n`;
      for (const look of listeners) look();
    });
  }

  function until(pattern: RegExp): Promise<string> {
    return new Promise((found, failed) => {
      const look = (): void => {
        if (!pattern.test(output)) return;
        listeners.delete(look);
        found(output);
      };
      listeners.add(look);
      void exited.then((status) => failed(new Error(`rouse ended (${status}):\n${output}`)));
      look();
    });
  }

  const first = await until(/requests (\S+) · control (\S+) ·/);
  const [, requests = '', control = ''] = /requests (\S+) · control (\S+) ·/.exec(first) ?? [];

  async function show(path: string): Promise<unknown> {
    return await (await fetch(`${control}/api/v1/namespaces/default/models/${path}`)).json();
  }

  async function model(name: string): Promise<ModelShape> {
    return (await show(name)) as ModelShape;
  }

  return {
    process: child,
    pid: child.pid ?? 0,
    requests,
    control,
    port: Number(new URL(requests).port),
    folder,
    output: () => output,
    until,
    rouse: (...args) => runRouse([...args, '--server', control], folder),
    model,
    async untilModel(name, fits) {
      let found = await model(name);
      await untilHolds(`model ${name} is as wanted`, async () => {
        found = await model(name);
        return Boolean(found.status) && fits(found);
      });
      return found;
    },
    rollout: async (name) => (await show(`${name}/rollout`)) as RolloutShape,
    async traffic(name) {
      const { status } = await model(name);
      return Object.fromEntries(status.traffic.map(({ revision, percent }) => [revision, percent]));
    },
    async end(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) {
        if (group) process.kill(-(child.pid ?? 0), signal);
        else child.kill(signal);
      }
      return await exited;
    },
  };
}

export async function runRouse(
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<Ran> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args], {
      cwd,
      env: { ...process.env, ...env },
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
    });
    return { status: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { status: code, stdout, stderr };
  }
}

/** Processes that carry the mark of the data folder: instances, what they started, the watchdog, and with `--workers` data planes and control. */
export async function processesOf(folder: string): Promise<number[]> {
  const stateId = await readFile(join(folder, 'state', 'state-id'), 'utf8').catch(() => '');
  if (stateId === '') return [];
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const read = (what: string): Promise<string> =>
      readFile(`/proc/${name}/${what}`, 'latin1').catch(() => '');
    if ((await read('environ')).includes(stateId)) found.push(Number(name));
    else if ((await read('cmdline')).includes(stateId)) found.push(Number(name));
  }
  return found;
}

type Role = 'watchdog' | 'spawner' | 'data plane' | 'control' | 'instance';

/** What a process of the platform is for. */
async function roleOf(pid: number): Promise<Role> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
  if (line.includes('watchdog')) return 'watchdog';
  if (line.includes('spawner-process')) return 'spawner';
  if (/activator\/main\.[jt]s/.test(line)) return 'data plane';
  return line.includes('control-process') ? 'control' : 'instance';
}

export async function isWatchdog(pid: number): Promise<boolean> {
  return (await roleOf(pid)) === 'watchdog';
}

/** The processes of the folder that are for this: all that were there together when it had looked at each. */
export async function processesFor(role: Role, folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await processesOf(folder)) if ((await roleOf(pid)) === role) found.push(pid);
  // What has ended meanwhile, and what began in its stead, were not.
  const after = new Set(await processesOf(folder));
  return found.filter((pid) => after.has(pid));
}

/** Resolves when no process of the folder is left. */
export async function untilNoProcess(folder: string): Promise<void> {
  await untilHolds('no process is left', async () => (await processesOf(folder)).length === 0);
}

/** Ends a platform, waits for all of its processes to end, and removes its folder. */
export async function removePlatform(platform: Platform | undefined): Promise<void> {
  if (!platform) return;
  await platform.end('SIGKILL');
  await untilNoProcess(platform.folder);
  await removeFolder(platform.folder);
}
