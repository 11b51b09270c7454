import { chmod, copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { unpackPackages } from './packages.ts';

/** Where Rouse is in the image. */
export const APP = '/app';
export const NODE = '/usr/bin/node';
/** It is `nonroot` of the usual base images. */
export const USER = 65532;

/** What runs in the image; `load-tests` and `test` do not. */
const PARTS = [
  'package.json',
  'package-lock.json',
  'src',
  'activator',
  'functions',
  'knative',
  'policies',
];
/** Of the ONNX runtime, for other systems. */
const FOREIGN = ['darwin', 'win32', process.arch === 'x64' ? 'linux/arm64' : 'linux/x64'];

/** The file system of the image in `root`, an empty folder. `project`: the root of a clone; `folder`: for downloads. */
export async function makeRoot(root: string, project: string, folder: string): Promise<void> {
  await unpackPackages(root, folder);
  await copyFile(process.execPath, join(root, NODE));
  await addApplication(join(root, APP), project);
  await writeFile(
    join(root, 'etc/passwd'),
    `root:x:0:0::/:/bin/false\nrouse:x:${USER}:${USER}::/tmp:/bin/false\n`,
  );
  await mkdir(join(root, 'tmp'), { recursive: true });
  await chmod(join(root, 'tmp'), 0o1777);
  await chmod(root, 0o755);
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
