import { Fault } from '#lib/fault.ts';
import { CONTAINERD_SOCKET } from './components.ts';
import { imageName } from './image-name.ts';
import { makeImage } from './images.ts';
import { lastLines } from './log-tail.ts';
import { runProgram } from './run-program.ts';

/** How `ctr` finds the images of the cluster. */
const SERVER = ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io'];

/** Gives containerd a static program as an image. `ctr`: the command of its client. */
export async function importImage(
  ctr: readonly string[],
  name: string,
  program: string,
): Promise<void> {
  const command = [...ctr, ...SERVER, 'images', 'import', '-'];
  const { code, stderr } = await runProgram(command, { input: makeImage(name, program) });
  if (code === 0) return;
  const message = `image ${imageName(name)} was not imported:\n${lastLines(stderr)}`;
  throw new Fault('start_failed', message);
}

/** The names of the images that containerd has. */
export async function listImages(ctr: readonly string[]): Promise<ReadonlySet<string>> {
  const { code, stdout, stderr } = await runProgram([...ctr, ...SERVER, 'images', 'ls', '-q']);
  if (code === 0) return new Set(stdout.trimEnd().split('\n'));
  throw new Fault('start_failed', `images were not listed:\n${lastLines(stderr)}`);
}
