import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Spec } from './model.ts';
import type { Rouse } from './rouse.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

/** Applies a model file by the command line, which uploads its source. */
export async function applyModel(
  rouse: Rouse,
  folder: string,
  name: string,
  spec: Spec,
): Promise<void> {
  const file = join(folder, `${name}.yaml`);
  await mkdir(folder, { recursive: true });
  const document = { apiVersion: 'rouse.dev/v1alpha1', kind: 'Model', metadata: { name }, spec };
  // JSON is YAML.
  await writeFile(file, JSON.stringify(document));
  await promisify(execFile)(process.execPath, [
    MAIN,
    'apply',
    '-f',
    file,
    '--server',
    rouse.control,
  ]);
}
