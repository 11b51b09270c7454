import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** What reads schemas takes 10 MiB and more in each process: those that stand beside Rouse read none. */

const SOURCE = join(import.meta.dirname, '../../src');
/** Says which files of that library are loaded. */
const WATCH =
  `import { registerHooks } from 'node:module'; registerHooks({ load(url, context, next) {` +
  `if (url.includes('/node_modules/zod/')) console.log(url); return next(url, context); } })`;

async function schemasOf(file: string): Promise<string> {
  const { href } = pathToFileURL(join(SOURCE, file));
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(WATCH)}`,
    '--input-type=module',
    '--eval',
    `await import('${href}'); process.exit()`,
  ]);
  return stdout;
}

test.each([
  'batch/main.ts',
  'batch/runner/run-shard.ts',
  'batch/runner/shards/run-shards.ts',
  'runtime/local/process/spawn-group.ts',
  'runtime/local/process/prefork.ts',
])('%s', async (file) => {
  expect(await schemasOf(file)).toBe('');
});

test('one that reads schemas is found', async () => {
  expect(await schemasOf('domain/units.ts')).toContain('/zod/');
});
