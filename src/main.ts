import { totalmem } from 'node:os';
import { createProgram } from '#cli/program.ts';
import { systemClock } from '#lib/clock.ts';
import { serve } from '#serve/serve.ts';
import { readVersion } from '#lib/version.ts';

/** The command `rouse`: the command line over this process's own streams. */

const LONG_MS = 1 << 30;
const version = readVersion();
const interrupted = new AbortController();
const args = process.argv.slice(2);
// The server has its own way to end; everything else ends with the first Ctrl-C.
if (!args.includes('serve')) {
  process.once('SIGINT', () => interrupted.abort());
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader has closed the pipe: `rouse get models | head -1`.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const program = createProgram({
  version,
  totalMemory: totalmem(),
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  cwd: process.cwd(),
  fetch,
  clock: systemClock,
  signal: interrupted.signal,
  serve: (request) => serve(request, version),
  async simulate(pages, request) {
    const { compareUsage } = await import('#simulate/usage.ts');
    return await compareUsage(pages, request);
  },
});

// The timers of the clock do not keep a process alive; a command that waits must be.
const alive = setInterval(() => {}, LONG_MS);
process.exitCode = await program.run(args);
clearInterval(alive);
