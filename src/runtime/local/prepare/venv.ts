import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import type { Environment } from '../environment.ts';
import { createLimit } from './limit.ts';
import type { RunTool, ToolEnd } from './tool.ts';

/** Large wheels over a slow line, or a build from source; beyond it something hangs. */
const BUILD_MS = 15 * 60_000;
const VERSION_MS = 30_000;
/** pip takes a core and the network: several at once only make each slower. */
const BUILDS_AT_ONCE = 1;
/** Lines of output in a Fault. */
const SHOWN_LINES = 15;

interface Interpreter {
  readonly executable: string;
  readonly version: string;
}

const SELF_PORTRAIT =
  'import os,sys,platform;' +
  'os.write(3,f"{sys.executable}\\0{sys.version} {platform.platform()}".encode())';

/** Gives the Python that runs a folder's model: the one given, or that of an environment of its own. */
export type FindPython = (
  python: string,
  source?: { readonly folder: string; readonly digest: string },
) => Promise<string>;

/**
 * Virtual environments by what they are made of, shared by all revisions that want the same. They are built
 * aside and put in their place in one step: what is there is complete.
 */
export function createVenvs(options: {
  folder: string;
  runTool: RunTool;
  environment: Environment;
}): FindPython {
  const { folder, runTool, environment } = options;
  const limit = createLimit(BUILDS_AT_ONCE);
  const building = new Map<string, Promise<void>>();
  const interpreters = new Map<string, Interpreter>();

  async function run(path: string, args: string[], cwd: string, timeMs: number): Promise<ToolEnd> {
    return await runTool({ path, args, cwd, environment }, { timeMs });
  }

  /** A Python found in PATH may be a script of a version manager, which takes longer than Python itself. */
  async function look(python: string): Promise<Interpreter> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const end = await run(python, ['-c', SELF_PORTRAIT], folder, VERSION_MS);
    const [executable, version] = end.result.split('\0');
    if (end.ok && executable && version) return { executable, version };
    throw new Fault('invalid', `${python} does not work: ${outputOf(end)}`);
  }

  async function interpreterOf(python: string): Promise<Interpreter> {
    const known = interpreters.get(python) ?? (await look(python));
    interpreters.set(python, known);
    return known;
  }

  async function build(python: string, requirements: string, home: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const aside = await mkdtemp(join(folder, 'part-'));
    try {
      const made = await run(python, ['-m', 'venv', aside], folder, BUILD_MS);
      if (!made.ok) throw new Fault('invalid', `no virtual environment: ${outputOf(made)}`);
      const args = ['-m', 'pip', 'install', '--no-input', '--progress-bar', 'off'];
      const cwd = join(requirements, '..');
      const pip = await run(
        join(aside, 'bin', 'python'),
        [...args, '-r', requirements],
        cwd,
        BUILD_MS,
      );
      if (!pip.ok) throw new Fault('invalid', `requirements.txt: pip ${outputOf(pip)}`);
      await rename(aside, home);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
  }

  return async (python, source) => {
    const { executable, version } = await interpreterOf(python);
    if (!source) return executable;
    const requirements = join(source.folder, 'requirements.txt');
    const text = await readFile(requirements, 'utf8').catch(() => '');
    const wanted = text
      .split('\n')
      .map((line) => line.trim())
      .filter(isRequirement);
    if (wanted.length === 0) return executable;
    // What points to other files is made of them, too.
    const files = wanted.some((line) => /^-|\//.test(line)) ? source.digest : '';
    const digest = createHash('sha256')
      .update(JSON.stringify([wanted, version, files]))
      .digest('hex');
    const home = join(folder, digest);
    if (!existsSync(home)) {
      const work =
        building.get(digest) ??
        limit(() => build(executable, requirements, home)).finally(() => building.delete(digest));
      building.set(digest, work);
      await work;
    }
    return join(home, 'bin', 'python');
  };
}

function isRequirement(line: string): boolean {
  return line !== '' && !line.startsWith('#');
}

function outputOf({ how, lines }: ToolEnd): string {
  return [how, ...lines.slice(-SHOWN_LINES)].join('\n  ');
}
