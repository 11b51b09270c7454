import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostOf, putModel, untilModel } from '../measure/model.ts';
import { startRouse } from '../measure/rouse.ts';
import { attack, type VegetaReport } from '../measure/vegeta.ts';
import { ensureTool } from '../peers/tools.ts';

const NAME = 'surge';
export const RATE = 3000;

/** From no instance and no request to many requests a second. */
export interface Surge extends VegetaReport {
  readonly seconds: number;
  readonly instances: number;
}

/** At a model that takes 100 ms: 300 run at any time. */
export async function measureSurge(
  parent: string,
  seconds: number,
  say: (text: string) => void,
): Promise<Surge> {
  const folder = join(parent, NAME);
  await mkdir(folder);
  const [instance, vegeta] = [await ensureTool('instance', say), await ensureTool('vegeta', say)];
  const rouse = await startRouse(folder, false);
  try {
    await putModel(rouse, NAME, {
      revision: { runtime: 'command', args: [instance, 'fd', '${LISTEN_FD}'], concurrency: 100 },
      scaling: { initial: 0, max: 8 },
    });
    await untilModel(rouse, NAME, ({ state }) => state === 'Asleep');
    const [targets, results] = [join(folder, 'targets'), join(folder, 'results')];
    await writeFile(targets, `GET http://127.0.0.1:${rouse.port}/delay\nHost: ${hostOf(NAME)}\n`);
    const seen = await attack(vegeta, { targets, results }, RATE, seconds);
    let instances = 0;
    await untilModel(rouse, NAME, (status) => {
      instances = status.instances.length;
      return true;
    });
    return { seconds, instances, ...seen };
  } finally {
    await rouse.stop();
  }
}
