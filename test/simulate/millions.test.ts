import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveAnswers } from '#test/control/answering-server.ts';
import { useTeardown } from '#test/teardown.ts';

const teardown = useTeardown();
const MAIN = join(import.meta.dirname, '../../src/simulate/main.ts');
const COMMAND = join(import.meta.dirname, '../../src/main.ts');
const ROWS = 2_500_000;
const MODELS = 1000;
const BETWEEN_SECONDS = 0.5;
const BEGIN = 1_700_000_000;
const ROWS_AT_ONCE = 10_000;
/** Of the heap: far less than the rows, as text or as anything else with a name, would take. */
const HEAP_MB = 96;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rouse-millions-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** One request after the other, of all models in turn: each is asked every 500 s. */
function* makeLog(): Generator<string> {
  yield 'timestamp,model,duration,cold_cost,memory\n';
  for (let first = 0; first < ROWS; first += ROWS_AT_ONCE) {
    const rows = Array.from({ length: ROWS_AT_ONCE }, (_, index) => makeRow(first + index));
    yield rows.join('');
  }
}

function makeRow(row: number): string {
  return `${BEGIN + row * BETWEEN_SECONDS},tenant-of-some-name/model-${row % MODELS},0.25,2,1\n`;
}

test.each(['requests.csv', 'requests.csv.gz'])(
  '%s: millions of rows are replayed in a heap that could not hold them',
  async (name) => {
    const file = join(folder, name);
    const packed = name.endsWith('.gz') ? createGzip({ level: 1 }) : new PassThrough();
    await pipeline(Readable.from(makeLog()), packed, createWriteStream(file));
    const policies = ['--policy', 'fixed:10m', '--policy', 'fixed:1m'];
    const args = [`--max-old-space-size=${HEAP_MB}`, MAIN, '--trace', file, ...policies, '--json'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject([
      { policy: 'fixed:10m', arrivals: ROWS, cold: MODELS, coldSeconds: 2 * MODELS },
      { policy: 'fixed:1m', arrivals: ROWS, cold: ROWS, coldSeconds: 2 * ROWS },
    ]);
  },
  300_000,
);

/** The whole command line, its modules included. */
const COMMAND_HEAP_MB = 192;
const MINUTES_BETWEEN = 10;

/** All models in turn, each asked every ten minutes. */
function makeUsage(row: number): object {
  const minute = Math.floor(BEGIN / 60) + MINUTES_BETWEEN * Math.floor(row / MODELS);
  const name = { namespace: 'default', model: `model-${row % MODELS}`, revision: 'v1' };
  const counts = { arrivals: 1, coldArrivals: 1, busySeconds: 1, coldSeconds: 2 };
  return { ...name, minute, ...counts, memoryByteSeconds: 60 * 2 ** 20 };
}

test('rouse simulate: millions of rows of a server are replayed in a heap that could not hold them', async () => {
  const server = await serveAnswers((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    const page = Number(searchParams.get('after') ?? 0);
    const first = page * ROWS_AT_ONCE;
    const items = Array.from({ length: ROWS_AT_ONCE }, (_, index) => makeUsage(first + index));
    const next = first + ROWS_AT_ONCE < ROWS ? { next: String(page + 1) } : {};
    response.end(JSON.stringify({ items, ...next }));
  }, teardown);
  const policies = ['--policy', 'fixed:1h', 'fixed:5m', '-o', 'json'];
  const args = [`--max-old-space-size=${COMMAND_HEAP_MB}`, COMMAND, 'simulate', ...policies];
  const env = { ...process.env, ROUSE_SERVER: server };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  teardown(() => void child.kill('SIGKILL'));
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject([
    { policy: 'fixed:1h', arrivals: ROWS, cold: MODELS },
    { policy: 'fixed:5m', arrivals: ROWS, cold: ROWS },
  ]);
}, 300_000);
