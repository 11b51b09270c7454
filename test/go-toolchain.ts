import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from '#lib/fault.ts';
import { findProgram } from './find-program.ts';

/**
 * The Go that builds what tests and measurements need. One that is too old for that fetches a newer one, as a module from
 * Go's module proxy. From 1.21 on Go can do so by itself, unless its packager has forbidden it, as Debian does; what is
 * done here works with all. What has to be done after the download: https://go.dev/doc/toolchain,
 * cmd/go/internal/toolchain.
 */

/** What our modules need: their go.mod say so. */
const NEEDED_MINOR = 26;
/** That of Debian 12. */
const OLDEST_MINOR = 19;
const FETCHED = 'go1.26.8';
/** The checksums of its modules, by platform. */
export const CHECKSUMS: Readonly<Record<string, string>> = {
  'linux-amd64': 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=',
  'linux-arm64': 'h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=',
};
export const PLATFORM = `${process.platform}-${process.arch === 'x64' ? 'amd64' : process.arch}`;
const MODULE = `golang.org/toolchain@v0.0.1-${FETCHED}.${PLATFORM}`;

/** What is missing of Go, and what would help; undefined: there is one that will do. */
export function findMissingGo(env: NodeJS.ProcessEnv): string | undefined {
  const least = PLATFORM in CHECKSUMS ? OLDEST_MINOR : NEEDED_MINOR;
  const wanted = `Go 1.${least} or newer: https://go.dev/doc/install`;
  const path = findProgram('go', env);
  if (path === undefined) return wanted;
  const version = readVersion(path);
  return minorOf(version) >= least ? undefined : `${wanted}; ${path} is ${version || 'older'}`;
}

/**
 * The path of a Go that builds all of our modules: the machine's own, or one that is fetched the first time (70 MB).
 * Throws a Fault when there is none on the machine, or what was fetched is not what it should be.
 */
export async function ensureGo(env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string> {
  const missing = findMissingGo(env);
  if (missing !== undefined) throw new Fault('unavailable', missing);
  const own = findProgram('go', env) ?? 'go';
  if (minorOf(readVersion(own)) >= NEEDED_MINOR) return own;
  const cache = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'rouse', 'go');
  const folder = join(cache, MODULE);
  if (!existsSync(lastOf(folder))) {
    await download(own, cache, { env, signal });
    await finish(folder);
  }
  return join(folder, 'bin', 'go');
}

/** As `go1.26.8`; empty when it cannot be asked. */
function readVersion(go: string): string {
  try {
    // Beside no go.mod, which could ask for another version.
    const options = { cwd: '/', encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync(go, ['env', 'GOVERSION'], options).trim();
  } catch {
    return '';
  }
}

function minorOf(version: string): number {
  return Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0);
}

/** Unpacked in a cache of modules that is ours, and that can be removed as it is. */
async function download(
  go: string,
  cache: string,
  { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted();
  await mkdir(cache, { recursive: true });
  const ours = { GOMODCACHE: cache, GOFLAGS: '-modcacherw', GOTOOLCHAIN: 'local' };
  const options = { cwd: cache, env: { ...env, ...ours }, signal };
  const asked = promisify(execFile)(go, ['mod', 'download', '-json', MODULE], options);
  // What went wrong is in what it says.
  const said = await asked.catch((error: { stdout: string; stderr: string }) => error);
  signal?.throwIfAborted();
  const { Sum: sum, Error: error } = parse(said.stdout);
  if (sum === CHECKSUMS[PLATFORM]) return;
  const found = error ?? (sum === undefined ? said.stderr : `its checksum is ${sum}`);
  throw new Fault('unavailable', `${MODULE} was not fetched by ${go}: ${found.trim()}`);
}

function parse(text: string): { readonly Sum?: string; readonly Error?: string } {
  return text === '' ? {} : JSON.parse(text);
}

/** Modules have no programs, and no modules in them: makes programs of files, and gives modules their names. */
async function finish(folder: string): Promise<void> {
  for (const part of ['bin', join('pkg', 'tool')]) {
    for (const path of await findFiles(join(folder, part))) await chmod(path, 0o755);
  }
  const last = lastOf(folder);
  const hidden = (await findFiles(folder)).filter((path) => basename(path) === '_go.mod');
  const named = hidden.map((path) => join(path, '..', 'go.mod')).filter((path) => path !== last);
  for (const path of [...named, last]) {
    const made = `${path}.${process.pid}`;
    await copyFile(join(path, '..', '_go.mod'), made);
    await rename(made, path);
  }
}

/** The file that comes last: where it is, all is. */
function lastOf(folder: string): string {
  return join(folder, 'src', 'go.mod');
}

async function findFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
