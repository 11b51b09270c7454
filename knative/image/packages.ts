import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';

/**
 * What the model servers need of Debian: C and C++ for Node, Python and what makes a venv, certificates. `base-files`
 * has the texts of the licences that the others only name.
 */
const PACKAGES = ['libstdc++6', 'python3.11-venv', 'ca-certificates', 'base-files'];
/** Of no use to a program. */
const UNUSED = ['usr/share/man', 'usr/share/locale', 'usr/share/lintian'];
const DOCUMENTS = 'usr/share/doc';
/** Licences are passed on with what they are of. */
const LICENCE = 'copyright';
const CERTIFICATES = 'usr/share/ca-certificates/mozilla';
const BUNDLE = 'etc/ssl/certs';

/** The packages, and all that they depend on, by the digests of their files. */
export async function listPackages(): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-packages-'));
  try {
    const lines = (await install(folder, ['--print-uris'])).split('\n');
    // "'address' file size digest": the address may be any mirror's.
    const files = lines.filter((line) => line.startsWith("'"));
    return files.map((line) => line.slice(line.lastIndexOf("'") + 1).trim()).toSorted();
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Unpacks the packages, and all that they depend on, into `root`. `folder` takes what is downloaded. */
export async function unpackPackages(root: string, folder: string): Promise<void> {
  await install(folder, ['--yes', '--download-only']);
  for (const file of await readdir(folder)) {
    if (file.endsWith('.deb')) await runCommand('dpkg-deb', ['-x', join(folder, file), root]);
  }
  for (const unused of UNUSED) await rm(join(root, unused), { recursive: true, force: true });
  await keepLicences(join(root, DOCUMENTS));
  await bundleCertificates(root);
}

/** The machine's own packages are neither looked at nor changed; its apt-get, with its sources, is used. */
async function install(folder: string, how: readonly string[]): Promise<string> {
  await mkdir(join(folder, 'partial'), { recursive: true });
  // As if nothing was installed: then it is told everything.
  const installed = join(folder, 'installed');
  await writeFile(installed, '');
  const settings = [
    `Dir::State::status=${installed}`,
    `Dir::Cache::archives=${folder}`,
    'Debug::NoLocking=true',
  ].flatMap((each) => ['-o', each]);
  const options = [...settings, ...how, '--no-install-recommends'];
  return await runCommand('apt-get', ['install', ...options, ...PACKAGES]);
}

/** Of the documents of all packages. Some packages share their folder with another one, by a link. */
async function keepLicences(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const name of await readdir(join(folder, entry.name))) {
      if (name !== LICENCE) await rm(join(folder, entry.name, name), { recursive: true });
    }
  }
}

/** As the package itself would, if it was installed. */
async function bundleCertificates(root: string): Promise<void> {
  const from = join(root, CERTIFICATES);
  const files = (await readdir(from)).toSorted();
  const texts = await Promise.all(files.map((file) => readFile(join(from, file), 'utf8')));
  await mkdir(join(root, BUNDLE), { recursive: true });
  await writeFile(join(root, BUNDLE, 'ca-certificates.crt'), texts.join(''));
}
