import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from './command.ts';

export const ROOT = join(import.meta.dirname, '../..');

/** Entry point for tests of what starts it: it says how it was started, and ends when told. */
const STAND_IN = `
import { Fault } from '#lib/fault.ts';
import { entryUrl } from '#lib/entry.ts';
import own from '../package.json' with { type: 'json' };
const entry: string = entryUrl('./main', import.meta.url).href;
if (entry !== import.meta.url) throw new Fault('internal', entry);
if (process.argv[2] === '--version') console.log(own.version);
else {
  process.on('SIGTERM', () => process.exit(7));
  console.log('node', process.versions.node, ...process.argv.slice(2));
  setInterval(() => {}, 60_000);
}
`;

/** What a checkout has besides its own files. */
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', '.rouse', '.cache']);

/** A copy of this checkout, so that a build here is in nobody's way. */
export async function copyCheckout(to: string, options: { standIn: boolean }): Promise<void> {
  await mkdir(to, { recursive: true });
  cpSync(ROOT, to, { recursive: true, filter: (path) => !NOT_COPIED.has(basename(path)) });
  symlinkSync(join(ROOT, 'node_modules'), join(to, 'node_modules'));
  if (options.standIn) writeFileSync(join(to, 'src/main.ts'), STAND_IN);
}

export interface Packed {
  /** Path of the tarball. */
  readonly path: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

export async function pack(checkout: string, to: string): Promise<Packed> {
  await mkdir(to, { recursive: true });
  const env = { PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}` };
  const args = ['pack', '--json', '--pack-destination', to];
  const [packed] = JSON.parse(await run('npm', args, { cwd: checkout, env }));
  return { path: join(to, packed.filename), files: packed.files };
}

/** `npm install <tarball>` in an empty folder. */
export async function install(
  tarball: string,
  folder: string,
  flags: readonly string[] = [],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  await run('npm', ['install', '--no-audit', '--no-fund', ...flags, tarball], { cwd: folder });
}
