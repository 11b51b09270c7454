import { readSync, writeSync } from 'node:fs';
import type { Assignment } from '#domain/launch.ts';
import { type Listening, createListening } from './listen.ts';
import type { Load, Rehearsal, Settings } from './settings.ts';

/** Enough for the paths of a request to be compiled, and for the connection to have been reused. */
const ROUNDS = 30;
const CHUNK_BYTES = 64 * 1024;

/**
 * Loads all but a model, then waits for one without using the processor: nothing else can happen in this
 * process meanwhile. Afterwards its environment and its folder are those that it was given, as if it had been
 * started with them. It already listens; what it is asked is answered by the rehearsal until that is replaced.
 */
export async function standBy(
  kind: Settings['kind'],
  listen: Settings['listen'],
  fd: number,
): Promise<{ readonly listening: Listening; readonly load: Load }> {
  const { listener, requests, load } = await rehearsalOf(kind);
  const listening = await createListening(listener, listen);
  for (let round = 0; round < ROUNDS; round++) {
    for (const { path, body } of requests) await call(listen, path, body);
  }
  writeSync(fd, '\n');
  take(JSON.parse(readLine(fd)));
  writeSync(fd, '\n');
  return { listening, load };
}

async function rehearsalOf(kind: Settings['kind']): Promise<Rehearsal> {
  if (kind === 'onnx') return (await import('#functions/onnx/rehearse.ts')).rehearseOnnx();
  return (await import('#functions/function/rehearse.ts')).rehearseFunction();
}

function call(listen: Settings['listen'], path: string, body = ''): Promise<void> {
  const { request } = process.getBuiltinModule('node:http');
  const where = 'path' in listen ? { socketPath: listen.path } : listen;
  const method = body === '' ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const sent = request({ ...where, path, method, agent: false }, (response) => {
      response.resume().once('end', resolve);
    });
    sent.once('error', reject).end(body);
  });
}

function readLine(fd: number): string {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const size = readSync(fd, chunk);
    // The runtime has gone, or needs the memory.
    if (size === 0) process.exit(0);
    chunks.push(chunk.subarray(0, size));
    if (chunk[size - 1] === 0x0a) return Buffer.concat(chunks).toString();
  }
}

function take({ environment, cwd }: Assignment): void {
  for (const name of Object.keys(process.env)) {
    if (!Object.hasOwn(environment, name)) delete process.env[name];
  }
  Object.assign(process.env, environment);
  process.chdir(cwd);
}
