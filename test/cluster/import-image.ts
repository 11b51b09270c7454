import { type Image, makeArchive } from '#knative/image/archive.ts';
import { Fault } from '#lib/fault.ts';
import { CONTAINERD_SOCKET } from './components.ts';
import { lastLines } from './log-tail.ts';
import { runProgram } from './run-program.ts';

/** How `ctr` finds the images of the cluster. */
const SERVER = ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io'];

/** Gives containerd images. `ctr`: the command of its client. */
export async function importImages(
  ctr: readonly string[],
  images: readonly Image[],
): Promise<void> {
  const known = await listContents(ctr);
  const command = [...ctr, ...SERVER, 'images', 'import', '-'];
  const { code, stderr } = await runProgram(command, { input: makeArchive(images, known) });
  if (code === 0) return;
  const names = images.map(({ name }) => name).join(', ');
  const message = `${names}: not imported:\n${lastLines(stderr)}`;
  throw new Fault('start_failed', message);
}

/** Gives an image another name, too. */
export async function tagImage(ctr: readonly string[], name: string, other: string): Promise<void> {
  await ask(ctr, ['images', 'tag', '--force', name, other]);
}

/** Takes a name away. */
export async function untagImage(ctr: readonly string[], name: string): Promise<void> {
  await ask(ctr, ['images', 'rm', name]);
}

/** The names of the images that containerd has. */
export async function listImages(ctr: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await ask(ctr, ['images', 'ls', '--quiet'])).split('\n'));
}

/** What it has need not be given again: the digests of all layers and other files. */
async function listContents(ctr: readonly string[]): Promise<ReadonlySet<string>> {
  const text = await ask(ctr, ['content', 'ls', '--quiet']);
  return new Set(text.split('\n').map((digest) => digest.replace('sha256:', '')));
}

async function ask(ctr: readonly string[], args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram([...ctr, ...SERVER, ...args]);
  if (code === 0) return stdout.trimEnd();
  throw new Fault('start_failed', `ctr ${args.join(' ')} failed:\n${lastLines(stderr)}`);
}
