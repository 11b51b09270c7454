import { spawn } from 'node:child_process';

/** Runs what its arguments say, passes on the signals that it gets, as `rouse.js` does on an old Node, and ends as that does. */

const child = spawn(process.execPath, process.argv.slice(2), { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (status) => process.exit(status ?? 1));
