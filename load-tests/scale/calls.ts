import { Agent, request } from 'node:http';
import { inParallel } from '../measure/parallel.ts';

/** What became of many calls. */
export interface Calls {
  readonly wallMs: number;
  /** Sorted. */
  readonly latenciesMs: Float64Array;
  /** What went wrong, in words; empty is what is expected. */
  readonly errors: readonly string[];
}

export interface Target {
  readonly path: string;
  readonly host: string;
}

/** Calls `target(0)` to `target(count - 1)`, so many at a time on connections that are kept. */
export async function call(
  port: number,
  count: number,
  atOnce: number,
  target: (index: number) => Target,
): Promise<Calls> {
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const latenciesMs = new Float64Array(count);
  const errors: string[] = [];
  const began = performance.now();
  await inParallel(count, atOnce, async (index) => {
    const { path, host } = target(index);
    const sentAt = performance.now();
    const status = await callOnce(agent, port, path, host);
    latenciesMs[index] = performance.now() - sentAt;
    if (status !== '200') errors.push(`${host}${path}: ${status}`);
  });
  const wallMs = performance.now() - began;
  agent.destroy();
  return { wallMs, latenciesMs: latenciesMs.sort(), errors };
}

function callOnce(agent: Agent, port: number, path: string, host: string): Promise<string> {
  return new Promise((done) => {
    const asked = request({ agent, port, path, host: '127.0.0.1', headers: { host } });
    asked.once('error', (error) => done(error.message));
    asked.once('response', (response) => {
      response.resume();
      response.once('end', () => done(String(response.statusCode)));
      response.once('error', (error) => done(error.message));
    });
    asked.end();
  });
}
