import { join } from 'node:path';
import type { Preload } from '../measure/rouse.ts';

/** Has the clock of a Rouse that is started now go so many times as fast. */
export function makeHaste(faster: number): Preload {
  return {
    file: join(import.meta.dirname, 'hasten.ts'),
    env: { CROWD_FASTER: String(faster), CROWD_SINCE: String(Date.now()) },
  };
}
