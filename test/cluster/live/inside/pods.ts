import { systemProcesses } from '#runtime/local/process/proc.ts';

/** Kills the program that knows the name of its pod by POD_NAME, as a crash would end it. Kubelet starts it again. */
export function killProgramOf(pod: string): void {
  const mark = `POD_NAME=${pod}\0`;
  const found = systemProcesses
    .list()
    .filter(({ pid }) => systemProcesses.environment(pid)?.includes(mark));
  if (found.length === 0) throw new Error(`no program of ${pod} is seen`);
  for (const { pid } of found) process.kill(pid, 'SIGKILL');
}
