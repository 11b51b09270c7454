#!/usr/bin/env node
/**
 * The command `rouse`. Plain JavaScript, because it must run on whatever Node the user has (18 or newer).
 * Rouse itself needs Node 24: when this is an older one, this file runs itself again with the Node that the
 * npm dependency `node` brought along.
 *
 * The older process then only passes signals on and waits. A pipe ties the two together: when the older
 * process is killed, the pipe closes and the newer one is told to end.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
/** The burst of a start with many models would else leave the young generation, and the process, larger. */
const YOUNG = '--max-semi-space-size=4';
/** Set by the older process: the file descriptor of the pipe. */
const PIPE = 'ROUSE_LAUNCHER_FD';

if (Number.parseInt(process.versions.node, 10) >= NEEDED) {
  endWithLauncher();
  await import(entry().href);
} else {
  runWith(dependencyNode());
}

/** The sources in a checkout; the build in an installed package, where Node does not strip types. */
function entry() {
  const source = new URL('./main.ts', import.meta.url);
  return existsSync(source) ? source : new URL('../dist/src/main.js', import.meta.url);
}

function endWithLauncher() {
  const fd = Number(process.env[PIPE]);
  delete process.env[PIPE];
  if (!(fd > 2)) return;
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on('error', () => {});
  pipe.on('close', () => process.kill(process.pid, 'SIGTERM'));
  pipe.resume().unref();
}

function dependencyNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve('node/package.json');
    const program = join(
      dirname(manifest),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    );
    return existsSync(program) ? program : undefined;
  } catch {
    return undefined;
  }
}

function runWith(program) {
  if (program === undefined) return giveUp('npm was not allowed to run its install script');
  const child = spawn(program, [YOUNG, fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, [PIPE]: '3' },
  });
  child.on('error', (error) => giveUp(error.message));
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT'])
    process.on(signal, () => child.kill(signal));
  // A terminal sends Ctrl-C to both processes; passing it on would make it two.
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  process.on('SIGINT', () => terminal || child.kill('SIGINT'));
  child.on('exit', (status, signal) => {
    if (signal === null) process.exit(status);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function giveUp(reason) {
  console.error(
    [
      `rouse: needs Node ${NEEDED}, and this is Node ${process.versions.node}.`,
      `The npm package "node", which would bring it, does not work here: ${reason}.`,
      'Either let npm complete it:  npm install-scripts approve node && npm rebuild node',
      `or start rouse with Node ${NEEDED} or newer.`,
    ].join('\n'),
  );
  process.exit(1);
}
