import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { BatchSpec } from '#domain/job.ts';
import type { RunBounds } from '#domain/job-run.ts';
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

/** Throws a Fault where a file of the job lies out of bounds, or cannot be written. */
export async function checkPaths({ input, output }: BatchSpec, bounds: RunBounds): Promise<void> {
  const check = await makeCheck(bounds);
  if (input.location.startsWith('/')) {
    checkSaid(input.location, bounds);
    for (const { path } of await locate(input.location)) check(await realpath(path), path);
  }
  const folder = dirname(output.path);
  try {
    check(join(await realpath(folder), basename(output.path)), output.path);
    await access(folder, constants.W_OK);
  } catch (error) {
    throw fileFault(error, output.path);
  }
}

/** The same of a file or folder that is only read, with all that is in it. What is not there is not refused. */
export async function checkRead(path: string, bounds: RunBounds): Promise<void> {
  checkSaid(path, bounds);
  const check = await makeCheck(bounds);
  const real = await realpathIfThere(path);
  check(real, path);
  for (const closed of bounds.closed) {
    if (!isInside(real, await realpathIfThere(closed))) continue;
    throw new Fault('forbidden', `${path} holds the data folder of Rouse, where no job goes`);
  }
}

/** Before it is looked at: what is there is nobody's business either. */
function checkSaid(path: string, { within = '/' }: RunBounds): void {
  if (!isInside(within, resolve(path))) throw makeOutside(path, within);
}

async function makeCheck(bounds: RunBounds): Promise<(real: string, path: string) => void> {
  const closed = await Promise.all(bounds.closed.map(realpathIfThere));
  const within = await realpathIfThere(bounds.within ?? '/');
  return (real, path) => {
    if (closed.some((own) => isInside(own, real))) {
      throw new Fault('forbidden', `${path} lies in the data folder of Rouse, where no job goes`);
    }
    if (!isInside(within, real)) throw makeOutside(path, within);
  };
}

/** What is not there holds nothing. */
async function realpathIfThere(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

function isInside(folder: string, path: string): boolean {
  return folder === '/' || path === folder || path.startsWith(folder + sep);
}

function makeOutside(path: string, within: string): Fault {
  const expected = `expected a path in ${within}, where jobs have their files`;
  return new Fault('forbidden', `${path} is out of bounds: ${expected}`);
}
