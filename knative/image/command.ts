import { execFile } from 'node:child_process';
import { Fault } from '#lib/fault.ts';

const OUTPUT_BYTES = 16 * 2 ** 20;

/** Runs it to its end, and gives its output. Throws Fault `internal` with what it said when it fails. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(program, args, { ...options, maxBuffer: OUTPUT_BYTES }, (error, stdout, stderr) => {
    if (!error) resolve(stdout);
    else reject(new Fault('internal', `${program} ${args.join(' ')}: ${stderr || error.message}`));
  });
  return await promise;
}
