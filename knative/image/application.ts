import { cp, copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { keepLayer, type Layer, packLayer } from './layer.ts';
import { APP } from './system.ts';

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
const MANIFESTS = ['package.json', 'package-lock.json'];
/** Of the ONNX runtime, for other systems. */
const FOREIGN = ['darwin', 'win32', process.arch === 'x64' ? 'linux/arm64' : 'linux/x64'];

/** The packages of npm that run in the image. */
export async function makePackagesLayer(project: string, cache: string): Promise<Layer> {
  const files = [...MANIFESTS.map((name) => join(project, name)), import.meta.filename];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return await keepLayer(cache, 'packages', [process.arch, ...texts], async (root) => {
    const app = join(root, APP);
    await mkdir(app);
    for (const name of MANIFESTS) await copyFile(join(project, name), join(app, name));
    // Node is there already; nothing else has a script of its own.
    const how = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
    await runCommand('npm', ['ci', ...how], { cwd: app });
    const binaries = join(app, 'node_modules/onnxruntime-node/bin/napi-v6');
    for (const foreign of FOREIGN)
      await rm(join(binaries, foreign), { recursive: true, force: true });
  });
}

/** Rouse itself, as it is now. `folder`, an empty one, has to stay for as long as the layer is read. */
export async function makeApplicationLayer(project: string, folder: string): Promise<Layer> {
  const root = join(folder, 'root');
  const app = join(root, APP);
  await mkdir(app, { recursive: true });
  for (const part of PARTS) await cp(join(project, part), join(app, part), { recursive: true });
  return await packLayer(root, join(folder, 'layer.tar'));
}
