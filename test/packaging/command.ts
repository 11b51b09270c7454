import { type ChildProcess, spawn } from 'node:child_process';

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with the first match in what it has written so far; rejects when it ends without one. */
  sees(pattern: RegExp): Promise<RegExpExecArray>;
}

interface Options {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a program as a user would from a shell: nothing of the npm that runs these tests is in its way. */
export function start(program: string, args: readonly string[], options: Options): Command {
  const env = { ...withoutNpm(process.env), NO_COLOR: '1', ...options.env };
  const child = spawn(program, args, { cwd: options.cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const watch of watchers) watch();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    changed();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    changed();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
  });

  async function sees(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const match = pattern.exec(stdout) ?? pattern.exec(stderr);
        if (match) resolve(match);
      };
      watchers.add(watch);
      watch();
      ended.then(
        () => reject(new Error(`ended without ${pattern}:\n${stdout}${stderr}`)),
        (error: unknown) => reject(error instanceof Error ? error : new Error(String(error))),
      );
    });
  }

  return { child, ended, sees };
}

/** Runs to the end; throws with all of the output when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  options: Options,
): Promise<string> {
  const { status, stdout, stderr } = await start(program, args, options).ended;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
  return stdout;
}

function withoutNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = /^(npm_|INIT_CWD$|NODE_OPTIONS$|VITEST|NODE_ENV$)/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !inherited.test(name)));
}
