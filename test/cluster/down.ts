import { rm } from 'node:fs/promises';
import { endBox } from './box.ts';
import { removeCgroups } from './cgroups.ts';
import { cgroupName, partsOf } from './folders.ts';
import { readRecord } from './record.ts';

/** Ends the cluster of this state, whatever is left of it, and removes the state. */
export async function takeDown(state: string): Promise<void> {
  const box = await readRecord(partsOf(state).record);
  if (box) await endBox(box);
  await removeCgroups(cgroupName(state));
  // What enters the box holds its mounts until it has ended, too.
  await rm(state, { recursive: true, force: true, maxRetries: 20 });
}
