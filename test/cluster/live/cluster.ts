import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateFolder } from '#test/cluster/folders.ts';
import { findMissing, thisMachine } from '#test/cluster/requirements.ts';

/** What this machine lacks for a cluster. */
export const MISSING = findMissing(thisMachine(process.env));
export const NEEDS = '(needs root, Go and packages of Debian: see test/cluster/README.md)';

/** For whoever runs tests that are skipped for it. */
export function sayMissing(): void {
  process.stderr.write(`skipped: for a cluster this machine lacks\n  ${MISSING.join('\n  ')}\n`);
}

const MAIN = join(import.meta.dirname, '../main.ts');

export interface Ran {
  /** Null: a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cluster that is driven as a user would: by commands. */
export interface DrivenCluster {
  readonly state: string;
  /** Runs a command of the harness to its end. `onPrinted` gets all that was printed so far, each time. */
  run(
    args: readonly string[],
    onPrinted?: (all: string, child: ChildProcess) => void,
  ): Promise<Ran>;
  /** Runs one that has to succeed; gives its output. */
  must(...args: string[]): Promise<string>;
}

export interface TestCluster extends DrivenCluster {
  /** Takes down whatever is up. */
  close(): Promise<void>;
}

/** A cluster of a test's own. It is not up yet. */
export function createTestCluster(env: NodeJS.ProcessEnv = {}): TestCluster {
  const folder = mkdtempSync(join(tmpdir(), 'rouse-cluster-'));
  const cluster = controlCluster(folder, env);
  return {
    ...cluster,
    async close() {
      await cluster.must('down');
      rmSync(folder, { recursive: true });
    },
  };
}

/** The cluster whose state is in this folder. */
export function controlCluster(folder: string, env: NodeJS.ProcessEnv = {}): DrivenCluster {
  const all = { ...process.env, ...env, XDG_STATE_HOME: folder };
  const run: TestCluster['run'] = async (args, onPrinted) => {
    // In a process group of its own, as in a terminal: there Ctrl-C is for the whole group.
    const child = spawn(process.execPath, [MAIN, ...args], {
      env: all,
      detached: true,
      stdio: 'pipe',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      stdout += piece;
      onPrinted?.(stdout, child);
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      stderr += piece;
    });
    const code = await new Promise<number | null>((resolve) => {
      // Not `close`: a killed harness may leave others that hold its output.
      child.once('exit', resolve);
    });
    return { code, stdout, stderr };
  };
  const must = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args);
    if (code !== 0) throw new Error(`${args.join(' ')}: status ${code}\n${stdout}${stderr}`);
    return stdout;
  };
  return { state: stateFolder(all), run, must };
}
