import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { makeInferBody } from '#batch/runner/infer.ts';
import { openRows } from '#batch/rows/open-rows.ts';
import { mapColumns } from '#batch/rows/map.ts';
import { ENV_SOCKET } from '#domain/launch.ts';
import { instancesOf } from '../measure/instances.ts';
import { FEATURES } from './rows.ts';

/** Requests that are under way at each instance: as many as the job has there. */
const AT_ONCE = 8;
const IMAGE = { name: 'image', datatype: 'FP32', shape: [-1, FEATURES] };

interface Body {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** A request with the first rows of the file, as a job sends it. */
export async function makeBody(input: string, folder: string, rows: number): Promise<Body> {
  const source = await openRows({
    location: input,
    folder,
    fetch: { maxBytes: 0, privateHosts: false },
  });
  try {
    const { reads, inputs } = mapColumns(source.columns, [IMAGE], new Map([['image', ['p*']]]));
    for await (const batch of source.read(0, rows, reads)) {
      const { chunks, headers } = makeInferBody(batch, inputs, true);
      return { bytes: Buffer.concat([...chunks]), headers };
    }
    throw new Error(`${input} has no rows`);
  } finally {
    await source.close();
  }
}

/**
 * A tight loop: the instances of this model are asked at their own sockets, always with the same request, and the answers
 * are read and thrown away.
 */
export async function callDirectly(
  rouse: number,
  model: string,
  { bytes, headers }: Body,
  seconds: number,
): Promise<{ readonly answers: number; readonly seconds: number }> {
  const sockets = instancesOf(rouse)
    .filter((instance) => instance.model === model)
    .flatMap(({ environment }) => environment[ENV_SOCKET] ?? [])
    // One that starts has none yet.
    .filter((path) => existsSync(path));
  if (sockets.length === 0) throw new Error(`no instance of ${model} runs`);
  const agent = new Agent({ keepAlive: true });
  const since = performance.now();
  let answers = 0;

  async function loop(socketPath: string): Promise<void> {
    while (performance.now() - since < seconds * 1000) {
      const sent = request({
        socketPath,
        agent,
        method: 'POST',
        path: `/v2/models/${model}/infer`,
        headers: { ...headers, 'content-length': bytes.length },
      });
      sent.end(bytes);
      const [response]: IncomingMessage[] = await once(sent, 'response');
      if (response?.statusCode !== 200) throw new Error(`it answered ${response?.statusCode}`);
      response.resume();
      await once(response, 'end');
      answers++;
    }
  }

  try {
    await Promise.all(
      sockets.flatMap((socket) => Array.from({ length: AT_ONCE }, () => loop(socket))),
    );
    return { answers, seconds: (performance.now() - since) / 1000 };
  } finally {
    agent.destroy();
  }
}
