import { type ChildProcess, fork } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { unfinishedPaths } from '#batch/runner/paths.ts';
import type { JobRunner } from '#control/jobs/job-runner.ts';
import type { FromRunner, ToRunner } from '#domain/job-run.ts';
import { entryUrl } from '#lib/entry.ts';
import { sendTo } from '#lib/ipc.ts';
import type { DataFolder } from '../data-folder.ts';

/** Its rows are outside of the heap, in buffers and in the reader's own memory. */
const HEAP_MB = 128;
/** Little of what is made there is small, and what is not collected counts three times. */
const YOUNG_MB = 1;
/**
 * What glibc does with freed memory: buffers of rows come and go, from several threads, and by default it keeps them, 35 MiB
 * in the end. So there are few arenas, and what is large goes back to the system at once.
 */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/**
 * The reader's library works in threads of Node's pool, in any of them, and keeps for each what it has freed: so there are two,
 * and one arena. It has an allocator of its own, which reads this variable.
 */
const READER = { UV_THREADPOOL_SIZE: '2', DUCKDB_JE_MALLOC_CONF: 'narenas:1' };

/** How a runner is started, so that reading takes little. */
export const RUNNER: {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} = {
  execArgv: [
    '--no-warnings',
    `--max-old-space-size=${HEAP_MB}`,
    `--max-semi-space-size=${YOUNG_MB}`,
    // For the moment at which most of what was made is needed no more.
    '--expose-gc',
  ],
  env: { ...MALLOC, ...READER },
};

/** How a shard is started, in our image. */
export const SHARD = {
  command: ['node', ...RUNNER.execArgv, 'src/batch/shard.ts'],
  env: RUNNER.env,
};

/** Runners are children of control, which they do not outlive. */
export function createJobRunner(folder: Pick<DataFolder, 'jobs'>): JobRunner {
  const folderOf = (namespace: string, id: string): string => join(folder.jobs, namespace, id);
  return {
    folderOf,
    async clear({ namespace, id, spec }) {
      await rm(folderOf(namespace, id), { recursive: true, force: true });
      for (const path of unfinishedPaths(spec, id)) {
        // Its folder may have gone, or been closed to us since.
        await rm(path, { force: true }).catch(() => undefined);
      }
    },
    start(order, events, tryRows) {
      const child = fork(entryUrl('../../batch/main', import.meta.url), {
        execArgv: [...process.execArgv, ...RUNNER.execArgv],
        env: { ...process.env, ...RUNNER.env },
        serialization: 'advanced',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const ended = Promise.withResolvers<void>();
      const end = (how: string): void => {
        events.onEnd(how);
        ended.resolve();
      };
      child.on('message', (message: FromRunner) => events.onMessage(message));
      child.once('exit', (status, signal) =>
        end(signal === null ? `exited with status ${status}` : `ended by signal ${signal}`),
      );
      // Without a pid it was never started, and there is no 'exit'.
      child.on('error', (error) => {
        if (child.pid === undefined) end(`cannot be started: ${error.message}`);
      });
      say(
        child,
        tryRows === undefined ? { type: 'run', order } : { type: 'check', order, tryRows },
      );
      return {
        slots: (slots) => say(child, { type: 'slots', slots }),
        async end() {
          child.kill('SIGKILL');
          await ended.promise;
        },
      };
    },
  };
}

function say(child: ChildProcess, message: ToRunner): void {
  sendTo(child, message);
}
