import { chmod, cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from './command.ts';
import { unpackPackages } from './packages.ts';

/** Where Rouse is in the image. */
export const APP = '/app';
export const NODE = '/usr/bin/node';
/** It is `nonroot` of the usual base images. */
export const USER = 65532;

/** What runs in the image; `load-tests` and `test` do not. */
const PARTS = [
  'LICENSE',
  'package.json',
  'package-lock.json',
  'src',
  'activator',
  'functions',
  'knative',
  'policies',
];
/** Programs by the names under which they are found; there is no shell, and no `env`. */
const LAUNCHERS: Readonly<Record<string, string>> = {
  rouse: `${APP}/src/rouse.js`,
  'rouse-activator': `${APP}/src/activator.ts`,
  'rouse-ingress': `${APP}/src/ingress.ts`,
};
/** Of the ONNX runtime, for other systems. */
const FOREIGN = ['darwin', 'win32', process.arch === 'x64' ? 'linux/arm64' : 'linux/x64'];

/** The file system of the image in `root`, an empty folder. `project`: the root of a clone; `folder`: for downloads. */
export async function makeRoot(root: string, project: string, folder: string): Promise<void> {
  await unpackPackages(root, folder);
  await addNode(root, project, folder);
  await addApplication(join(root, APP), project);
  await addLaunchers(join(root, 'usr/local/bin'));
  await writeFile(
    join(root, 'etc/passwd'),
    `root:x:0:0::/:/bin/false\nrouse:x:${USER}:${USER}::/tmp:/bin/false\n`,
  );
  await mkdir(join(root, 'tmp'), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  await chmod(root, 0o755);
}

/** The Node that the package names, with its licence. */
async function addNode(root: string, project: string, folder: string): Promise<void> {
  const manifest: { dependencies: { node: string } } = JSON.parse(
    await readFile(join(project, 'package.json'), 'utf8'),
  );
  const name = `node-linux-${process.arch}`;
  const version = manifest.dependencies.node;
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

async function addApplication(app: string, project: string): Promise<void> {
  await mkdir(app);
  for (const part of PARTS) await cp(join(project, part), join(app, part), { recursive: true });
  // Node is there already; nothing else has a script of its own.
  const how = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  await runCommand('npm', ['ci', ...how], { cwd: app });
  const binaries = join(app, 'node_modules/onnxruntime-node/bin/napi-v6');
  for (const foreign of FOREIGN)
    await rm(join(binaries, foreign), { recursive: true, force: true });
}
