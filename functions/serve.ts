import { closeSync, writeFileSync } from 'node:fs';
import { ENV_READY_FD, ENV_STANDBY, type ReadyLine } from '#domain/launch.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import { type Listening, createListening } from './listen.ts';
import {
  type Load,
  type Settings,
  kindOf,
  listenOf,
  parseDescriptor,
  parseSettings,
} from './settings.ts';

/**
 * The model server for `onnx` and `function`: loads the model, listens, says that it is ready, and serves
 * until SIGTERM. Each kind imports only what it needs, because all of this is part of every cold start.
 */

let listening: Listening | undefined;
let readyFd = parseDescriptor(process.env[ENV_READY_FD]);

process.once('SIGTERM', () => void stop());
process.on('uncaughtException', (error) => fail(error));
// One request's mistake must not end the others.
process.on('unhandledRejection', (reason) => console.error('unhandled rejection:', reason));

try {
  await start();
} catch (error) {
  fail(error);
}

async function start(): Promise<void> {
  let load: Load | undefined;
  if (process.env[ENV_STANDBY] && readyFd !== undefined) {
    const { standBy } = await import('./standby.ts');
    ({ listening, load } = await standBy(kindOf(process.env), listenOf(process.env), readyFd));
  }
  const settings = parseSettings(process.env);
  load ??= await importLoad(settings.kind);
  const { listener, loadMs, metadata } = await load(settings);
  if (listening) listening.replace(listener);
  else listening = await createListening(listener, settings.listen);
  const isNews = metadata && !settings.inspection;
  report({ load: Math.round(loadMs * 1000) / 1000, ...(isNews && { metadata }) });
}

async function importLoad(kind: Settings['kind']): Promise<Load> {
  if (kind === 'onnx') return (await import('#functions/onnx/load.ts')).loadOnnx;
  return (await import('#functions/function/load.ts')).loadFunction;
}

async function stop(): Promise<void> {
  await listening?.close();
  process.exit(0);
}

function fail(error: unknown): void {
  tell(error);
  report({ error: messageOf(error) });
  process.exit(1);
}

/** Of our own errors what they say; of what the model threw all that there is. */
function tell(error: unknown): void {
  if (!(error instanceof Fault)) return console.error(error);
  console.error(error.message);
  if (error.cause !== undefined) console.error(error.cause);
}

function report(line: ReadyLine): void {
  if (readyFd === undefined) return;
  const fd = readyFd;
  readyFd = undefined;
  writeFileSync(fd, `${JSON.stringify(line)}\n`);
  closeSync(fd);
}
