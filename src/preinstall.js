/**
 * Runs before the install scripts of the dependencies, where Rouse is installed as a package.
 *
 * On Linux x64 the install script of onnxruntime-node downloads the CUDA libraries, hundreds of megabytes,
 * from a host that is no package registry, and fails the whole installation without it. Rouse uses the CPU
 * library, which is in the package. The script does nothing when the files are there: so they are, empty.
 * Who wants CUDA sets ONNXRUNTIME_NODE_INSTALL=cuda12; then nothing is done here.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const checkout = existsSync(new URL('./main.ts', import.meta.url));
if (!checkout && process.env.ONNXRUNTIME_NODE_INSTALL === undefined) {
  try {
    standInForCuda(dirname(require.resolve('onnxruntime-node/package.json')));
  } catch (error) {
    console.error(`rouse: onnxruntime-node may download the CUDA libraries now: ${error.message}`);
  }
}

function standInForCuda(folder) {
  const metadata = require(join(folder, 'script', 'install-metadata.js'));
  const platform = `${process.platform}/${process.arch}`;
  for (const name of metadata.requirements[platform] ?? []) {
    for (const file of Object.keys(metadata.manifests[`${platform}:${name}`])) {
      writeFileSync(join(folder, 'bin', 'napi-v6', platform, file), '', { flag: 'a' });
    }
  }
}
