import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseDocument } from '#domain/parse.ts';
import { fetchEnvironment, leaveEnvironment, type ProgramInput } from '#domain/pod-environment.ts';
import { causeOf, Fault, messageOf } from '#lib/fault.ts';
import { packFolder } from '#lib/folder-stream.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { removeTree } from '#store/remove-tree.ts';
import { putPath } from '#store/put-path.ts';
import { fetchContent, type Patience, refusalOf, untilDone } from './content.ts';

/**
 * The steps before and after a program, in its pod: `program.ts fetch` brings what it is given, `program.ts leave FILE`
 * hands over what it has left, and writes the digest of that to FILE. The last line of a step that fails is the reason.
 */

/** Large models over slow lines; control may be away for long. */
const STEP_MS = 6 * 60 * 60_000;
/** For any user: a program may run in an image of its own. */
const FOR_ALL = 0o777;
const READABLE = 0o555;
/** What such a user makes there has the group of the volume, which the step after it has, too. */
const FOR_ALL_IN_GROUP = 0o2777;
const WHAT = 'the environment of the pod';

async function fetchInputs(patience: Patience): Promise<void> {
  const { work, url, inputs } = parseDocument(fetchEnvironment, process.env, WHAT);
  for (const name of ['source', 'data', 'parent', 'output', 'work', 'artifacts']) {
    await removeTree(join(work, name));
  }
  const folder = join(work, 'artifacts');
  const artifacts = await createArtifactFolder({ folder });
  for (const { place, artifact, key } of inputs) {
    await fetchContent({ url, key }, artifact, { ...patience, artifacts });
    await moveTo(await artifacts.materialize(artifact), join(work, place), artifact);
  }
  await removeTree(folder);
  for (const name of ['output', 'work']) {
    await mkdir(join(work, name));
    await chmod(join(work, name), FOR_ALL_IN_GROUP);
  }
}

/** A copy that was materialized, under its own name. A source may be itself the program. */
async function moveTo(path: string, to: string, { name }: ProgramInput['artifact']): Promise<void> {
  await mkdir(to);
  // A folder can be moved only while it may be written to.
  await chmod(path, FOR_ALL);
  await rename(path, join(to, name));
  await chmod(join(to, name), READABLE);
  await chmod(to, READABLE);
}

async function handOver(file: string, patience: Patience): Promise<void> {
  const { work, url, key } = parseDocument(leaveEnvironment, process.env, WHAT);
  const artifacts = await createArtifactFolder({ folder: join(work, 'artifacts') });
  const { signal } = patience;
  const { digest } = await putPath(artifacts, join(work, 'output'), { maxBytes: Infinity, signal });
  await untilDone(() => send(url, key, packed(artifacts, digest), signal), patience);
  await writeFile(file, digest);
}

function packed(artifacts: Artifacts, digest: string): AsyncIterable<Uint8Array> {
  return packFolder(artifacts.read(digest), (each) => artifacts.read(each));
}

async function send(
  url: string,
  key: string,
  content: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/octet-stream' };
  const body = ReadableStream.from(content);
  try {
    const response = await fetch(url, { method: 'PUT', headers, body, duplex: 'half', signal });
    if (response.status !== 201) throw await refusalOf(response, url);
    await response.body?.cancel();
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('unavailable', `${url} could not be reached: ${causeOf(error)}`);
  }
}

// The first process of a container is not ended by a signal that it does not take.
process.once('SIGTERM', () => process.exit(143));
try {
  const [, , step, file = ''] = process.argv;
  const signal = AbortSignal.timeout(STEP_MS);
  const patience: Patience = {
    signal,
    wait: (ms) => setTimeout(ms, undefined, { signal }),
    warn: (text) => console.error(text),
  };
  if (step === 'leave') await handOver(file, patience);
  else await fetchInputs(patience);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
