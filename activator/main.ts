import { flushCompileCache } from 'node:module';
import { createStreamClient } from '#bus/stream.ts';
import { urlOf } from '#domain/address.ts';
import { systemClock } from '#lib/clock.ts';
import { compileEarly } from '#lib/compile-early.ts';
import { INTERRUPTED } from '#lib/exit-status.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { sendTo } from '#lib/ipc.ts';
import { createLog, type Log } from '#lib/log.ts';
import { readVersion } from '#lib/version.ts';
import type { Activator } from './activator.ts';
import { createAdmin } from './admin.ts';
import { parseStart, USAGE } from './arguments.ts';
import { createDataPlane } from './data-plane.ts';
import type { DataPlaneStart, FromDataPlane, ToDataPlane } from './process-messages.ts';

/**
 * A data plane as a process of its own. On its own feet it takes arguments and ends by a signal; started by
 * `rouse serve --workers` it does what it is told over the channel to that process, and does not outlive it.
 */

const WRONG_USAGE = 2;

interface Running {
  readonly activator: Activator;
  readonly requests: string;
  /** Absent: there is no such port. */
  readonly admin?: string;
  readonly log: Log;
  readonly close: (graceMs: number) => Promise<never>;
}

async function run(start: DataPlaneStart): Promise<Running> {
  compileEarly();
  const { settings, dataPlane, processes, sharePort, version } = start;
  const log = createLog({ level: settings.logLevel, terminal: process.stderr.isTTY });
  const client = createStreamClient({
    connect: start.bus,
    clock: systemClock,
    random: Math.random,
  });
  const about = { dataPlane, hasOthers: true, processes, sharePort, version };
  const own = { client, ...about, clock: systemClock, log };
  const activator = await createDataPlane(settings, own);
  const admin = start.admin && (await createAdmin(start.admin, activator));
  const { host, port } = activator;
  const requests = urlOf({ host, port }, settings.tls.length > 0 ? 'https' : 'http');
  log.debug({ dataPlane, requests }, 'begins');
  return {
    activator,
    requests,
    ...(admin && start.admin && { admin: urlOf({ host: start.admin.host, port: admin.port }) }),
    log,
    async close(graceMs) {
      await activator.close(graceMs);
      await admin?.close();
      process.exit(0);
    },
  };
}

async function runAlone(): Promise<void> {
  const start = parseStart(process.argv.slice(2), process.env, readVersion());
  const { activator, requests, admin, close, log } = await run(start);
  let closing = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (closing) process.exit(INTERRUPTED);
      closing = true;
      log.info(`${signal}: ending; once more ends at once.`);
      void close(start.settings.drain);
    });
  }
  if (start.settings.tls.length > 0) process.on('SIGHUP', () => activator.reload());
  activator.ready.catch(giveUp);
  const also = admin === undefined ? '' : ` · admin ${admin}`;
  process.stdout.write(`Rouse data plane ${start.version} · requests ${requests}${also}\n`);
}

function giveUp(error: unknown): void {
  process.stderr.write(`rouse data plane: ${messageOf(error)}\n`);
  const isUsage = error instanceof Fault && error.code === 'invalid';
  if (isUsage) process.stderr.write(USAGE);
  process.exit(isUsage ? WRONG_USAGE : 1);
}

/** To whoever started this process. */
function say(message: FromDataPlane, said?: () => void): void {
  sendTo(process, message, said);
}

function runSupervised(): void {
  let running: Promise<Running | undefined> | undefined;
  let asked = false;

  process.on('disconnect', () => process.exit(1));
  // A terminal sends them to all of its processes; they are for the one that started the others.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('SIGTERM', () => {
    if (asked) process.exit(INTERRUPTED);
    asked = true;
    say({ type: 'leaving' });
  });
  process.on('message', (message: ToDataPlane) => {
    if (message.type === 'start') running = begin(message.start);
    else if (message.type === 'reload') void running?.then((made) => made?.activator.reload());
    else void running?.then((made) => made?.close(message.graceMs));
  });
}

async function begin(start: DataPlaneStart): Promise<Running | undefined> {
  // For those that take its place. Else only an orderly end would write it.
  flushCompileCache();
  try {
    const made = await run(start);
    made.activator.ready.then(() => say({ type: 'ready' })).catch(fail);
    return made;
  } catch (error) {
    fail(error);
    return undefined;
  }
}

function fail(error: unknown): void {
  say({ type: 'failed', message: messageOf(error) }, () => process.exit(1));
}

if (process.send) runSupervised();
else runAlone().catch(giveUp);
