/**
 * Loaded into a program before its own code (`--import`, so into each of its threads): since `CROWD_SINCE` (ms since
 * the epoch) its clock goes `CROWD_FASTER` times as fast, and its timers are due so much sooner. Other processes and
 * timeouts of sockets keep their time.
 */

const faster = Number(process.env['CROWD_FASTER']);
const since = Number(process.env['CROWD_SINCE']);

function hasten(time: number): number {
  return since + (time - since) * faster;
}

const { timeOrigin } = performance;
const now = performance.now.bind(performance);
performance.now = () => hasten(timeOrigin + now()) - timeOrigin;
Date.now = () => Math.floor(timeOrigin + performance.now());

type Run = (...args: unknown[]) => void;

function hastenTimer<T extends typeof setTimeout | typeof setInterval>(begin: T): T {
  return Object.assign(
    (run: Run, ms = 0, ...args: unknown[]) => begin(run, ms / faster, ...args),
    begin,
  );
}

globalThis.setTimeout = hastenTimer(setTimeout);
globalThis.setInterval = hastenTimer(setInterval);
