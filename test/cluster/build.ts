import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { lastLines } from './log-tail.ts';
import { buildArgs, cacheKey, type GoModule, MODULES, targetsOf } from './programs.ts';
import { runProgram } from './run-program.ts';

const SOURCES = join(import.meta.dirname, 'go');

export interface Builder {
  readonly go: string;
  readonly cache: string;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** The paths of programs by their names. What is not in the cache is built first. */
export async function buildPrograms(
  builder: Builder,
  names: readonly string[],
): Promise<Record<string, string>> {
  const { go, signal } = builder;
  const version = await runGo([go, 'env', 'GOVERSION', 'GOARCH'], { cwd: SOURCES, signal });
  const programs: Record<string, string> = {};
  for (const module of MODULES) {
    const own = names.filter((name) => name in targetsOf(module));
    const files = own.length > 0 ? await readSources(module.folder) : [];
    for (const name of own) {
      const key = cacheKey(module, name, files, version);
      const path = join(builder.cache, key, basename(name));
      programs[name] = path;
      if (!existsSync(path)) await build(builder, module, name, path);
    }
  }
  return programs;
}

/** The folders of Go modules in Go's own cache; what is not there is downloaded. */
export async function findModules(
  { go, signal }: Pick<Builder, 'go' | 'signal'>,
  names: readonly string[],
): Promise<Record<string, string>> {
  const options = { cwd: join(SOURCES, 'knative'), signal };
  await runGo([go, 'mod', 'download', ...names], options);
  const list = [go, 'list', '-m', '-f', '{{.Path}} {{.Dir}}', ...names];
  const lines = (await runGo(list, options)).trimEnd().split('\n');
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
}

async function runGo(
  command: readonly string[],
  options: { cwd: string; signal: AbortSignal },
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, options);
  if (code === 0) return stdout;
  throw new Fault('start_failed', `${command.join(' ')} failed:\n${lastLines(stderr)}`);
}

async function readSources(folder: string): Promise<{ name: string; text: string }[]> {
  const entries = await readdir(join(SOURCES, folder), { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return await Promise.all(
    paths.toSorted().map(async (path) => ({
      name: path.slice(SOURCES.length),
      text: await readFile(path, 'utf8'),
    })),
  );
}

async function build(
  { go, signal, say }: Builder,
  module: GoModule,
  name: string,
  path: string,
): Promise<void> {
  say(`building ${name}: minutes the first time`);
  await mkdir(dirname(path), { recursive: true });
  const made = `${path}.${process.pid}`;
  const cwd = join(SOURCES, module.folder);
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  const command = ['nice', '-n', '19', go, ...buildArgs(module, name, made)];
  const { code, stderr } = await runProgram(command, { cwd, env, signal });
  if (code !== 0) throw new Fault('start_failed', `${name} was not built:\n${lastLines(stderr)}`);
  await rename(made, path);
}
