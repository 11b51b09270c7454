import { findProgram } from './prepare/program.ts';
import type { Program } from './process/group.ts';

/**
 * Programs that give the processor to everybody else first: on Linux by the idle policy of its scheduler, elsewhere, or
 * without util-linux, as nicely as it goes. Both keep their process id when they become the program.
 */
const WAYS = [
  { program: 'chrt', args: ['--idle', '0'] },
  { program: 'nice', args: ['-n', '19'] },
] as const;

/** A program as it is started at low priority; unchanged where the machine has neither way. */
export function createLowPriority(
  path: string | undefined,
): (program: Program) => Promise<Program> {
  let way: Promise<readonly string[]> | undefined;

  async function find(): Promise<readonly string[]> {
    for (const { program, args } of WAYS) {
      const found = await findProgram(program, { cwd: '/', path }).catch(() => undefined);
      if (found !== undefined) return [found, ...args];
    }
    return [];
  }

  return async (program) => {
    way ??= find();
    const [first, ...args] = await way;
    if (first === undefined) return program;
    return { ...program, path: first, args: [...args, program.path, ...program.args] };
  };
}
