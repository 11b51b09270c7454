import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder, removeFolder, serveArguments } from '#test/e2e/platform.ts';
import { makeCertificate } from '#test/fixtures/certificate.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
/** A server that starts nevertheless is ended. */
const LIMIT_MS = 30_000;

let folder: string;

beforeEach(async () => {
  folder = await makeFolder();
  const [one, other] = [makeCertificate(['localhost']), makeCertificate(['localhost'])];
  await writeFile(join(folder, 'one.pem'), one.certificate);
  await writeFile(join(folder, 'one.key'), one.key);
  await writeFile(join(folder, 'other.key'), other.key);
});
afterEach(async () => {
  await removeFolder(folder);
});

function serve(args: readonly string[]): Promise<{ status: unknown; stderr: string }> {
  return new Promise((ended) => {
    const all = [MAIN, ...serveArguments(folder), ...args];
    execFile(process.execPath, all, { cwd: folder, timeout: LIMIT_MS }, (error, _, stderr) =>
      ended({ status: error?.code ?? 0, stderr }),
    );
  });
}

test.each([
  ['one.pem', 'gone.key', 'gone.key cannot be read'],
  ['one.key', 'one.key', 'one.key is no PEM certificate'],
  ['one.pem', 'one.pem', 'one.pem is no PEM private key'],
  ['one.pem', 'other.key', 'other.key is not the key of one.pem'],
])('%s with %s is a wrong setting, before anything is begun', async (certificate, key, said) => {
  for (const workers of ['0', '2']) {
    const tls = ['--tls-certificate', certificate, '--tls-key', key, '--workers', workers];
    const { status, stderr } = await serve(tls);
    expect(stderr).toContain(`error: ${said}`);
    expect(status).toBe(2);
    expect(existsSync(join(folder, 'state'))).toBe(false);
  }
});
