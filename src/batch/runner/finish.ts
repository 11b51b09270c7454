import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { RunOrder } from '#domain/job-run.ts';
import { assemble } from '../rows/assemble.ts';
import { fileFault, makeDurable } from '../rows/durable.ts';
import type { Checkpoint, OutputColumns, Part } from './checkpoint.ts';
import { partFiles } from './parts.ts';
import { finalPaths, finishedPaths } from './paths.ts';
import type { Plan } from './plan.ts';
import { publish, refuseOther } from './publish.ts';

/** All rows of a job, on disk. */
export interface Written {
  /** In the order of their rows, each in the folder of who scored it. */
  readonly parts: readonly WrittenPart[];
  readonly columns: OutputColumns;
}

interface WrittenPart extends Part {
  readonly folder: string;
}

/** Puts the parts together, beside the place of the output; from then on only names have to be given. */
export async function finish(
  id: string,
  { spec, output }: Plan,
  { parts, columns }: Written,
  checkpoint: Checkpoint,
): Promise<void> {
  const finished = finishedPaths(spec, id);
  const scored = parts.filter(({ rows }) => rows > 0);
  await assemble(
    scored.map(({ folder, number }) => partFiles(folder, number).scored),
    { ...output, path: finished.scored, columns, replace: true },
  );
  const failed = parts.filter((part) => part.failed > 0);
  if (failed.length > 0) await joinFailed(failed, finished.failed);
  checkpoint.set('publishing', true);
}

async function joinFailed(parts: readonly WrittenPart[], path: string): Promise<void> {
  try {
    await pipeline(async function* () {
      for (const { folder, number } of parts) {
        yield* createReadStream(partFiles(folder, number).failed);
      }
    }, createWriteStream(path));
    await makeDurable(path);
  } catch (error) {
    throw fileFault(error, path);
  }
}

/**
 * Repeatable: see `publish`. The output comes last: when it is there, all is. `failed`: rows of which there is a file; where
 * there are none, that of an output whose place is taken goes with it.
 */
export async function publishAll({ id, spec }: RunOrder, failed: number): Promise<void> {
  const finished = finishedPaths(spec, id);
  const final = finalPaths(spec);
  const { replace } = spec.output;
  if (!replace) await refuseOther(finished.scored, final.scored);
  if (failed > 0) await publish(finished.failed, final.failed, replace);
  else if (replace) await rm(final.failed, { force: true });
  await publish(finished.scored, final.scored, replace);
}
