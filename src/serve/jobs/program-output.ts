import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from '#domain/parse.ts';
import { type ProgramMetrics, programMetrics } from '#domain/program-job.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { formatSize } from '#domain/format-size.ts';
import { ENV_OUTPUT } from '#domain/launch.ts';
import { Fault, messageOf } from '#lib/fault.ts';

const METRICS = 'metrics.json';
/** Some dozen numbers. */
const MOST_METRICS_BYTES = 256 * 1024;
/** Names of a folder that are told. */
const MOST_NAMES = 10;

/**
 * What a program has left: one file or folder, whatever its name, and `metrics.json`, if it measured anything. Throws
 * Fault `invalid`.
 */
export async function readOutput(
  folder: string,
  put: (path: string) => Promise<ArtifactRef>,
): Promise<ProgramMetrics & { artifact: ArtifactRef }> {
  const entries = await readdir(folder, { withFileTypes: true });
  const left = entries.filter(({ name }) => name !== METRICS);
  const [artifact] = left;
  if (!artifact || left.length > 1) {
    const names = left.map(({ name }) => name).toSorted();
    const more = names.length > MOST_NAMES ? ', …' : '';
    const found = artifact ? `${names.slice(0, MOST_NAMES).join(', ')}${more}` : 'nothing';
    throw new Fault(
      'invalid',
      `its program left ${found} in ${ENV_OUTPUT}, expected one file or folder, the model, beside ${METRICS}`,
    );
  }
  if (!artifact.isFile() && !artifact.isDirectory()) {
    throw new Fault('invalid', `its program left ${artifact.name}, which is no file or folder`);
  }
  const measured = entries.find(({ name }) => name === METRICS);
  // Of a pipe or a device there is no end.
  if (measured && !measured.isFile()) throw new Fault('invalid', `${METRICS} is no file`);
  const metrics = measured ? await readMetrics(join(folder, METRICS)) : {};
  return {
    ...parseDocument(programMetrics, metrics, METRICS),
    artifact: await put(join(folder, artifact.name)),
  };
}

async function readMetrics(path: string): Promise<unknown> {
  const { size } = await stat(path);
  if (size > MOST_METRICS_BYTES) {
    const most = formatSize(MOST_METRICS_BYTES);
    throw new Fault('too_large', `${METRICS} has ${formatSize(size)}, at most ${most}`);
  }
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Fault('invalid', `${METRICS} is no JSON: ${messageOf(error)}`);
  }
}
