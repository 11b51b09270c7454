import { writeFile } from 'node:fs/promises';
import { Fault } from '#lib/fault.ts';
import { endBox, runAll, startBox } from './box.ts';
import { findHierarchies, makeCgroups } from './cgroups.ts';
import { takeDown } from './down.ts';
import { runHarness } from './enter.ts';
import { cgroupName, partsOf } from './folders.ts';
import { makePlan, type Outfit } from './make-plan.ts';
import { makeMounts } from './mounts.ts';
import { type Plan, programOf } from './plan.ts';
import { prepareState } from './prepare.ts';
import { requireOutside } from './requirements.ts';

/**
 * Makes a cluster. What an earlier run left, running or not, is taken down first. When it does not come up, or is
 * aborted, it is taken down again before the promise rejects.
 */
export async function bringClusterUp(state: string, outfit: Outfit): Promise<void> {
  const { say, signal } = outfit;
  requireOutside([state]);
  const plan = await makePlan(outfit);
  await takeDown(state);
  try {
    await startCluster(state, plan, say, signal);
  } catch (error) {
    await takeDown(state);
    throw error;
  }
}

async function startCluster(
  state: string,
  plan: Plan,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const parts = partsOf(state);
  await prepareState(state, programOf(plan, 'certificates'));
  await writeFile(parts.plan, JSON.stringify(plan));
  signal.throwIfAborted();
  const box = await startBox(programOf(plan, 'first'), parts.record);
  say(`box: process ${box.pid}`);
  const hierarchies = findHierarchies();
  makeCgroups(cgroupName(state), hierarchies);
  await runAll(box, makeMounts(parts, cgroupName(state), hierarchies));
  signal.throwIfAborted();
  // With the box ends what was started in it, and what waits for that.
  const end = (): void => {
    endBox(box).catch(() => {});
  };
  signal.addEventListener('abort', end);
  const status = await runHarness(state, 'up', say);
  signal.removeEventListener('abort', end);
  signal.throwIfAborted();
  if (status !== 0) throw new Fault('start_failed', 'the cluster did not come up');
}
