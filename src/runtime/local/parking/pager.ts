import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { messageOf } from '#lib/fault.ts';
import type { Log } from '#lib/log.ts';
import type { Environment } from '../environment.ts';
import { systemProcesses } from '../process/proc.ts';
import { findProgram } from '../prepare/program.ts';
import { descendantsOf, type Leader } from '../process/sweep.ts';
import type { RunTool } from '../prepare/tool.ts';

/**
 * Gives the memory of frozen processes back to the system, as far as it takes it. Where the system has no such call, or
 * does not let us, it says so once.
 */
export interface Pager {
  pageOut(leader: Leader): void;
}

/** A call for each few gigabytes; beyond it something hangs. */
const CALL_MS = 60_000;

export function createPager(options: {
  runTool: RunTool;
  environment: Environment;
  log: Log;
}): Pager {
  const { runTool, environment, log } = options;
  const program = fileURLToPath(new URL('./pageout.py', import.meta.url));
  let isPossible = true;

  async function pageOut(leader: Leader): Promise<void> {
    const members = descendantsOf(systemProcesses, leader);
    const pids = [leader, ...members].map(({ pid }) => String(pid));
    try {
      const path = await findProgram('python3', { cwd: tmpdir(), path: environment['PATH'] });
      const args = ['-I', program, ...pids];
      const end = await runTool({ path, args, cwd: tmpdir(), environment }, { timeMs: CALL_MS });
      if (!end.ok) refuse([end.how, ...end.lines].join(': '));
    } catch (error) {
      refuse(messageOf(error));
    }
  }

  function refuse(reason: string): void {
    if (isPossible)
      log.info({ reason }, 'parked instances keep their memory: it cannot be paged out');
    isPossible = false;
  }

  return {
    pageOut(leader) {
      if (isPossible) void pageOut(leader);
    },
  };
}
