import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { keepLayer, type Layer } from './layer.ts';
import { listPackages, unpackPackages } from './packages.ts';

/** Where Rouse is in the image. */
export const APP = '/app';
export const NODE = '/usr/bin/node';
/** It is `nonroot` of the usual base images. */
export const USER = 65532;

/** Programs by the names under which they are found; there is no shell, and no `env`. */
const LAUNCHERS: Readonly<Record<string, string>> = {
  rouse: `${APP}/src/rouse.js`,
  'rouse-activator': `${APP}/src/activator.ts`,
  'rouse-ingress': `${APP}/src/ingress.ts`,
};
/** What an application stands on: Debian's packages, Node, and the programs under which Rouse is found. */
export async function makeSystemLayer(project: string, cache: string): Promise<Layer> {
  const version = await readNodeVersion(project);
  const inputs = [await readRecipe(), version, process.arch, ...(await listPackages())];
  return await keepLayer(cache, 'system', inputs, async (root, work) => {
    await unpackPackages(root, work);
    await addNode(root, version, work);
    await addLaunchers(join(root, 'usr/local/bin'));
    await writeFile(
      join(root, 'etc/passwd'),
      `root:x:0:0::/:/bin/false\nrouse:x:${USER}:${USER}::/tmp:/bin/false\n`,
    );
    await mkdir(join(root, 'tmp'), { recursive: true });
    await chmod(join(root, 'tmp'), 0o1777);
  });
}

/** What is done, as it stands in the sources. */
async function readRecipe(): Promise<string> {
  const files = ['system.ts', 'packages.ts'].map((name) => join(import.meta.dirname, name));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('');
}

async function readNodeVersion(project: string): Promise<string> {
  const text = await readFile(join(project, 'package.json'), 'utf8');
  const manifest: { dependencies: { node: string } } = JSON.parse(text);
  return manifest.dependencies.node;
}

/** The Node that the package names, with its licence. */
async function addNode(root: string, version: string, folder: string): Promise<void> {
  const name = `node-linux-${process.arch}`;
  const how = ['--silent', '--pack-destination', folder];
  await runCommand('npm', ['pack', ...how, `${name}@${version}`]);
  const wanted = ['package/bin/node', 'package/LICENSE'];
  await runCommand('tar', ['-xzf', join(folder, `${name}-${version}.tgz`), ...wanted], {
    cwd: folder,
  });
  const licence = join(root, 'usr/share/doc/node/copyright');
  await mkdir(dirname(licence), { recursive: true });
  await rename(join(folder, 'package/LICENSE'), licence);
  await rename(join(folder, 'package/bin/node'), join(root, NODE));
}

async function addLaunchers(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, program] of Object.entries(LAUNCHERS)) {
    await writeFile(join(folder, name), `#!${NODE} --no-warnings\nawait import('${program}');\n`);
    await chmod(join(folder, name), 0o755);
  }
}
