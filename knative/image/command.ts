import { execFile } from 'node:child_process';
import { Fault } from '#lib/fault.ts';

const OUTPUT_BYTES = 16 * 2 ** 20;

/** Runs it to its end. Throws Fault `internal` with what it said when it fails. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  execFile(program, args, { ...options, maxBuffer: OUTPUT_BYTES }, (error, _stdout, stderr) => {
    if (!error) resolve();
    else reject(new Fault('internal', `${program} ${args.join(' ')}: ${stderr || error.message}`));
  });
  await promise;
}
