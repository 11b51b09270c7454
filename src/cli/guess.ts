import { access, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { RUNTIMES, type RuntimeName } from '#domain/model.ts';
import { Fault } from '#lib/fault.ts';

const BY_ENDING: Readonly<Record<string, RuntimeName>> = {
  '.onnx': 'onnx',
  '.ts': 'function',
  '.mts': 'function',
  '.js': 'function',
  '.mjs': 'function',
};
/** What makes a folder a model of a runtime. The first that is there wins. */
const BY_CONTENT: readonly (readonly [string, RuntimeName])[] = [
  ['model.py', 'python'],
  ['index.ts', 'function'],
  ['index.js', 'function'],
  ['index.mjs', 'function'],
];

/** The runtime that a source is for, by what it is. `path`: where it is on this machine. */
export async function guessRuntime(source: string, path: string): Promise<RuntimeName> {
  if (/^https?:\/\//.test(source)) return 'url';
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new Fault('not_found', `${source}: there is no such file or folder`);
  if (found.isDirectory()) {
    for (const [name, runtime] of BY_CONTENT) if (await exists(join(path, name))) return runtime;
    const names = BY_CONTENT.map(([name]) => name).join(', ');
    throw new Fault('invalid', `${source}: a folder without ${names}. ${hint()}`);
  }
  const runtime = BY_ENDING[extname(path)];
  if (runtime) return runtime;
  if (extname(path) === '.py') {
    throw new Fault('invalid', `${source}: expected the folder that holds model.py, not a file`);
  }
  const endings = Object.keys(BY_ENDING).join(', ');
  throw new Fault('invalid', `${source}: expected a file that ends with ${endings}. ${hint()}`);
}

function hint(): string {
  return `Say what runs it with --runtime ${RUNTIMES.join('|')}`;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
