import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '#lib/fault.ts';
import { CERTIFICATES, USERS } from './certificates.ts';
import { API_SERVER } from './components.ts';
import { makeConfigs } from './configs.ts';
import { partsOf } from './folders.ts';
import { makeKubeconfig } from './kubeconfig.ts';
import { lastLines } from './log-tail.ts';
import { readShielded } from './mounts.ts';
import { runProgram } from './run-program.ts';

/** Writes the files of a new cluster. `certificates` is the path of our program of that name. */
export async function prepareState(state: string, certificates: string): Promise<void> {
  const { files, log, sysctl } = partsOf(state);
  const pki = join(files, 'pki');
  await Promise.all(
    [pki, log, sysctl].map((path) => mkdir(path, { recursive: true, mode: 0o700 })),
  );
  await writeAll(sysctl, readShielded());
  await writeAll(files, makeConfigs());
  const input = JSON.stringify(CERTIFICATES);
  const { code, stderr } = await runProgram([certificates, pki], { input });
  if (code !== 0) throw new Fault('internal', `certificates were not made:\n${lastLines(stderr)}`);
  await writeKubeconfigs(files, pki);
}

async function writeKubeconfigs(files: string, pki: string): Promise<void> {
  const authority = await readFile(join(pki, 'ca.crt'), 'utf8');
  for (const { name } of USERS) {
    const certificate = await readFile(join(pki, `${name}.crt`), 'utf8');
    const key = await readFile(join(pki, `${name}.key`), 'utf8');
    const text = makeKubeconfig({ server: API_SERVER, user: name, authority, certificate, key });
    await writeFile(join(files, `${name}.kubeconfig`), text, { mode: 0o600 });
  }
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
