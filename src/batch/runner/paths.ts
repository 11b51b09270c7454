import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import type { BatchSpec } from '#domain/job.ts';
import { Fault } from '#lib/fault.ts';
import { fileFault, partialOf } from '../rows/durable.ts';
import { locate } from '../rows/locate.ts';

/** The files of a job: where its output goes, and where it stands until then. */
export interface OutputPaths {
  readonly scored: string;
  /** Rows that failed, one JSON object a line. */
  readonly failed: string;
}

interface Written {
  readonly output: { readonly path: string };
}

export function finalPaths({ output }: Written): OutputPaths {
  return { scored: output.path, failed: `${output.path}.failed.jsonl` };
}

/** In the folders of the final ones, so that they can get their names at once; of this job alone. */
export function finishedPaths({ output }: Written, id: string): OutputPaths {
  const scored = join(dirname(output.path), `.${basename(output.path)}.${id}`);
  return { scored, failed: `${scored}.failed` };
}

/** What a runner that was killed may have left beside the output. */
export function unfinishedPaths(spec: Written, id: string): string[] {
  const { scored, failed } = finishedPaths(spec, id);
  return [scored, failed, partialOf(scored)];
}

/** Throws a Fault where a file of the job lies in the data folder, or cannot be written. */
export async function checkPaths({ input, output }: BatchSpec, dataFolder: string): Promise<void> {
  const own = await realpath(dataFolder);
  const files = input.location.startsWith('/') ? await locate(input.location) : [];
  for (const { path } of files) refuseInside(own, await realpath(path), path);
  const folder = dirname(output.path);
  try {
    refuseInside(own, join(await realpath(folder), basename(output.path)), output.path);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw fileFault(error, output.path);
  }
}

function refuseInside(folder: string, real: string, path: string): void {
  if (real !== folder && !real.startsWith(folder + sep)) return;
  throw new Fault('forbidden', `${path} lies in the data folder of Rouse, where no job goes`);
}
