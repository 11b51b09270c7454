import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { lastLines } from './log-tail.ts';
import { buildArgs, cacheKey, type GoModule, MODULES } from './programs.ts';
import { runProgram } from './run-program.ts';

const SOURCES = join(import.meta.dirname, 'go');

interface Builder {
  readonly go: string;
  readonly cache: string;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** The paths of all programs by name. What is not in the cache is built first. */
export async function buildPrograms(builder: Builder): Promise<Record<string, string>> {
  const { go, signal } = builder;
  const version = await runGo([go, 'env', 'GOVERSION', 'GOARCH'], { cwd: SOURCES, signal });
  const programs: Record<string, string> = {};
  for (const module of MODULES) {
    const key = cacheKey(module, await readSources(module.folder), version);
    const folder = join(builder.cache, key);
    await mkdir(folder, { recursive: true });
    for (const name of Object.keys(module.programs)) {
      programs[name] = join(folder, name);
      if (!existsSync(join(folder, name))) await build(builder, module, name, folder);
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
  folder: string,
): Promise<void> {
  say(`building ${name}: minutes the first time`);
  const made = join(folder, `${name}.${process.pid}`);
  const cwd = join(SOURCES, module.folder);
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  const command = ['nice', '-n', '19', go, ...buildArgs(module, name, made)];
  const { code, stderr } = await runProgram(command, { cwd, env, signal });
  if (code !== 0) throw new Fault('start_failed', `${name} was not built:\n${lastLines(stderr)}`);
  await rename(made, join(folder, name));
}
