import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '#lib/fault.ts';
import type { Component } from './components.ts';
import { readLogTail } from './log-tail.ts';
import { isReady } from './probe.ts';

/** Long for a program that starts in seconds: the machine may be busy. */
const READY_MS = 90_000;
const STEP_MS = 50;

export interface Launched {
  /** Rejects when the component ends: none of them should while a cluster comes up. Never resolves. */
  readonly ended: Promise<never>;
  /** Resolves when it is ready; rejects when it ends before, or is not ready in time. */
  readonly ready: () => Promise<void>;
}

/**
 * Starts a component that outlives this process; its log is `logs`/NAME.log. What fails is told with the name of
 * the component and the last lines of its log.
 */
export function launch(
  component: Component,
  options: {
    readonly program: string;
    readonly logs: string;
    readonly env: NodeJS.ProcessEnv;
    readonly authority: string;
  },
): Launched {
  const { name, args } = component;
  const { program, logs, env, authority } = options;
  const log = openSync(join(logs, `${name}.log`), 'a');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], env });
  closeSync(log);
  child.unref();

  const failed = async (what: string): Promise<never> => {
    const tail = await readLogTail(logs, name);
    throw new Fault('start_failed', `${name} ${what}; its log ends with\n${tail}`);
  };
  const ended = new Promise<never>((_, reject) => {
    child.once('error', (error) => reject(new Fault('start_failed', `${name}: ${error.message}`)));
    child.once('exit', (code, signal) => {
      failed(`ended with ${signal ?? `status ${code}`}`).catch(reject);
    });
  });
  // It may end when nobody asks any more.
  ended.catch(() => {});

  const untilReady = async (): Promise<void> => {
    const deadline = performance.now() + READY_MS;
    while (!(await isReady(component.ready, authority))) {
      if (performance.now() > deadline) await failed(`was not ready after ${READY_MS / 1000} s`);
      await delay(STEP_MS);
    }
  };
  return { ended, ready: () => Promise.race([untilReady(), ended]) };
}
