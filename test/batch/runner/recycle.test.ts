import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { batchSpec } from '#domain/job.ts';
import { runJob } from '#batch/runner/run.ts';
import { systemClock } from '#lib/clock.ts';
import { listening } from '#test/listening.ts';
import { useTeardown } from '#test/teardown.ts';

const end = useTeardown();
const HEAD = 'inference-header-content-length';
/** Several times as many as are read at once. */
const ROWS = 50_000;
const BATCH = 512;
/** Of so many requests one has to be sent again, and holds up those behind it. */
const EVERY = 9;

/** Answers numbers with themselves, of some requests only the second time. */
async function startMirror(): Promise<string> {
  const seen = new Set<number>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const tail = body.subarray(Number(request.headers[HEAD]));
    const first = tail.readDoubleLE(0);
    if (!seen.has(first) && (first / BATCH) % EVERY === 0) {
      seen.add(first);
      response.statusCode = 503;
      response.end(JSON.stringify({ error: 'not now', code: 'unavailable' }));
      return;
    }
    const parameters = { binary_data_size: tail.length };
    const y = { name: 'y', datatype: 'FP64', shape: [tail.length / 8], parameters };
    const head = Buffer.from(JSON.stringify({ outputs: [y] }));
    response.setHeader(HEAD, head.length);
    response.end(Buffer.concat([head, tail]));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  const port = await listening(server);
  end(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${port}/`;
}

test('arrays that rows are read into are used again only when their rows are written', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rouse-recycle-'));
  end(() => rm(folder, { recursive: true }));
  const [input, output] = [join(folder, 'in.csv'), join(folder, 'out.csv')];
  const ids = Array.from({ length: ROWS }, (_, id) => id);
  await writeFile(input, ['id,x', ...ids.map((id) => `${id},${id}`)].join('\n'));
  const order = {
    namespace: 'default',
    id: 'recycled',
    folder: join(folder, 'job'),
    bounds: { closed: [] },
    spec: batchSpec.parse({
      model: 'mirror',
      input: { location: input },
      output: { path: output, columns: ['id'] },
      map: { x: ['x'] },
      batchSize: BATCH,
    }),
    model: {
      url: await startMirror(),
      proxyProtocol: false,
      headers: {},
      inputs: [{ name: 'x', datatype: 'FP64', shape: [-1] }],
      outputs: [],
      binary: true,
      timeoutMs: 60_000,
    },
  };
  const report = await runJob(order, {
    clock: systemClock,
    roll: () => 0,
    tell: () => {},
    onShards: () => {},
    onSlots: (set) => set(8),
  });
  expect(report.rows).toEqual({ total: ROWS, done: ROWS, failed: 0 });
  expect(report.retries).toBe(Math.ceil(ROWS / BATCH / EVERY));
  const lines = ['id,y', ...ids.map((id) => `${id},${id}.0`), ''];
  expect(await readFile(output, 'utf8')).toBe(lines.join('\n'));
});
