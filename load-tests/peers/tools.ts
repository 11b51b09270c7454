import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, isProgram } from '#test/find-program.ts';
import { ensureGo } from '#test/go-toolchain.ts';

/** What the benchmarks run besides Rouse, and where each comes from. Nothing of it is committed. */

type Source =
  /** A package of Debian, under the name of its program. */
  | { readonly from: 'debian'; readonly package: string }
  /** A file of C beside this one. */
  | { readonly from: 'c'; readonly file: string }
  /** A folder beside this one with a go.mod that pins versions, and the package to build there. */
  | { readonly from: 'go'; readonly folder: string; readonly package: string };

const SOURCES = {
  wrk: { from: 'debian', package: 'wrk' },
  haproxy: { from: 'debian', package: 'haproxy' },
  nginx: { from: 'debian', package: 'nginx-light' },
  instance: { from: 'c', file: 'instance/instance.c' },
  goproxy: { from: 'go', folder: 'goproxy', package: '.' },
  vegeta: { from: 'go', folder: 'vegeta', package: 'github.com/tsenart/vegeta/v12' },
  caddy: { from: 'go', folder: 'caddy', package: 'github.com/caddyserver/caddy/v2/cmd/caddy' },
  traefik: { from: 'go', folder: 'traefik', package: 'github.com/traefik/traefik/v3/cmd/traefik' },
  k6: { from: 'go', folder: 'k6', package: 'go.k6.io/k6' },
} as const satisfies Record<string, Source>;

export type ToolName = keyof typeof SOURCES;
export const TOOLS: readonly ToolName[] = [
  'wrk',
  'haproxy',
  'nginx',
  'instance',
  'goproxy',
  'vegeta',
  'caddy',
  'traefik',
  'k6',
];

const OUTPUT_BYTES = 64 * 1024 * 1024;
const run = promisify(execFile);

/** May be lost at any time: everything in it is made again. */
function cacheFolder(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'rouse', 'load-tests');
}

/** The path of a program that is there; otherwise installs or builds it first, and says so. */
export async function ensureTool(name: ToolName, say: (text: string) => void): Promise<string> {
  const source: Source = SOURCES[name];
  if (source.from === 'debian') return await ensurePackage(name, source.package, say);
  const program = join(cacheFolder(), name);
  const folder = source.from === 'go' ? join(import.meta.dirname, source.folder) : '';
  if (source.from === 'c') await compile(join(import.meta.dirname, source.file), program);
  else if (!isProgram(program)) {
    say(`building ${source.package}: minutes the first time`);
    await buildGo(folder, source.package, program);
  }
  return program;
}

async function ensurePackage(
  name: string,
  debian: string,
  say: (text: string) => void,
): Promise<string> {
  const found = findProgram(name, process.env);
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0) throw new Error(`${name} is missing: apt-get install ${debian}`);
  say(`apt-get install ${debian}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', debian], { env });
  const installed = findProgram(name, process.env);
  if (installed === undefined) throw new Error(`${debian} has no program ${name}`);
  return installed;
}

async function compile(source: string, program: string): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  const made = `${program}.${process.pid}`;
  await run('cc', ['-O2', '-o', made, source]);
  await rename(made, program);
}

/** In a copy: the build completes go.mod and go.sum with what it resolved. */
async function buildGo(source: string, what: string, program: string): Promise<void> {
  const go = await ensureGo(process.env);
  const folder = join(cacheFolder(), 'build', program.slice(program.lastIndexOf('/') + 1));
  await mkdir(folder, { recursive: true });
  await cp(source, folder, { recursive: true });
  const args = ['-n', '10', go, 'build', '-mod=mod', '-p', '1', '-trimpath', '-o', program, what];
  const env = { ...process.env, CGO_ENABLED: '0' };
  await run('nice', args, { cwd: folder, env, maxBuffer: OUTPUT_BYTES });
}

/** The version of a program that is there, for the report. */
export async function versionOf(name: ToolName): Promise<string> {
  const source: Source = SOURCES[name];
  if (source.from === 'c') return '';
  if (source.from === 'go' && source.package !== '.') {
    const pinned = await readFile(join(import.meta.dirname, source.folder, 'go.mod'), 'utf8');
    return /^require \S+ v(\S+)/m.exec(pinned)?.[1] ?? '';
  }
  const isGo = source.from === 'go';
  const program = isGo ? await ensureGo(process.env) : (findProgram(name, process.env) ?? name);
  // wrk says its version together with its usage, with status 1.
  const args = [isGo ? 'version' : '-v'];
  const said = await run(program, args).catch((error: { stdout: string; stderr: string }) => error);
  return /\d+\.\d+(\.\d+)*/.exec(`${said.stdout}${said.stderr}`)?.[0] ?? '';
}
