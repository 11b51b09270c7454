import { readdirSync, readFileSync } from 'node:fs';
import { ENV_MODEL } from '#domain/launch.ts';

/** A process that a Rouse has started for a model. */
export interface InstanceProcess {
  readonly pid: number;
  readonly model: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** All of the Rouse with this pid: children of the processes that it has started. */
export function instancesOf(rouse: number): InstanceProcess[] {
  const found: InstanceProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (parentOf(parentOf(Number(name))) !== rouse) continue;
      const environment = Object.fromEntries(
        wordsOf(`/proc/${name}/environ`).map((word) => splitVariable(word)),
      );
      const model = environment[ENV_MODEL];
      if (model !== undefined) found.push({ pid: Number(name), model, environment });
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** The words of a file of /proc that end with NUL each. */
export function wordsOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\0').slice(0, -1);
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function splitVariable(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}
