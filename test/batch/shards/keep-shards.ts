import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { SHARD_HOPELESS, SHARD_INDEX_ENV } from '#domain/job-run.ts';

/** Shards as processes, begun again when they fail, as a cluster does with the pods of an Indexed Job. */
export interface KeptShards {
  /** Of those that run. */
  indexes(): number[];
  /** With which those ended that failed and were not killed. */
  readonly failures: readonly number[];
  /** `kill -9`; another one takes its place. */
  kill(index: number): void;
  /** Resolves when all have succeeded, or with the shard that is hopeless. */
  readonly ended: Promise<'complete' | number>;
  /** Kills those that run, and waits for their ends. */
  close(): Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../../..');

export function keepShards(options: {
  /** As in a pod: `node`, its arguments and the folder. */
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  count: number;
}): KeptShards {
  const { command, env, count } = options;
  const running = new Map<number, ChildProcess>();
  const failures: number[] = [];
  const ended = Promise.withResolvers<'complete' | number>();
  let left = count;
  let isClosed = false;

  function start(index: number): void {
    const child = spawn(process.execPath, command.slice(1), {
      cwd: ROOT,
      env: { ...process.env, ...env, [SHARD_INDEX_ENV]: String(index) },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    running.set(index, child);
    child.once('exit', (status) => {
      running.delete(index);
      if (status === 0) left--;
      else if (status !== null) failures.push(status);
      if (left === 0) ended.resolve('complete');
      if (status === SHARD_HOPELESS) ended.resolve(index);
      else if (status !== 0 && !isClosed) start(index);
    });
  }

  for (let index = 0; index < count; index++) start(index);
  return {
    indexes: () => [...running.keys()],
    failures,
    kill: (index) => void running.get(index)?.kill('SIGKILL'),
    ended: ended.promise,
    async close() {
      isClosed = true;
      const ends = Array.from(running.values(), (child) => once(child, 'exit'));
      for (const child of running.values()) child.kill('SIGKILL');
      await Promise.all(ends);
    },
  };
}
