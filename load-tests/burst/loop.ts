import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { deleteModel, putModel } from '../measure/model.ts';
import { inParallel } from '../measure/parallel.ts';
import { pause } from '../measure/until.ts';
import { type LoopDelay, type Rouse, startRouse } from '../measure/rouse.ts';

const AT_ONCE = 8;
const REST_MS = 5000;

/** How late the loop of the data plane's thread came to its turn, in milliseconds. */
export interface Loop {
  readonly models: number;
  /** Nothing happens; then control registers, changes and deletes so many models. */
  readonly atRest: LoopDelay;
  readonly atWork: LoopDelay;
}

export async function measureLoop(parent: string, models: number): Promise<Loop> {
  const folder = join(parent, 'loop');
  await mkdir(folder);
  const rouse = await startRouse(folder, true);
  try {
    await rouse.loopDelay();
    await pause(REST_MS);
    const atRest = await rouse.loopDelay();
    await keepControlBusy(rouse, models);
    return { models, atRest, atWork: await rouse.loopDelay() };
  } finally {
    await rouse.stop();
  }
}

async function keepControlBusy(rouse: Rouse, models: number): Promise<void> {
  const args = [process.execPath, '-e', ''];
  const revision = (name: string): object => ({ name, runtime: 'command', args });
  await inParallel(models, AT_ONCE, async (index) => {
    const name = `busy-${index}`;
    await putModel(rouse, name, { revision: revision('v1'), scaling: { initial: 0 } });
    await putModel(rouse, name, { revision: revision('v2'), scaling: { initial: 0 } });
    await deleteModel(rouse, name);
  });
}
