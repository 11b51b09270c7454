import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCaller, type Caller } from '../measure/caller.ts';
import { fieldOf, makeRequest } from '../measure/exchange.ts';
import { readGauge } from '../measure/gauges.ts';
import { hostOf, putModel, untilModel } from '../measure/model.ts';
import { inParallel } from '../measure/parallel.ts';
import { pause, until } from '../measure/until.ts';
import { type Rouse, startRouse } from '../measure/rouse.ts';
import { type Answered, findDisorder } from './order.ts';

const NAME = 'held';
const BODY_BYTES = 1024;
/** So many are sent at a time; the next when all of them are in the queue. */
const BATCH = 100;
const CONNECT_AT_ONCE = 100;
const SETTLE_MS = 1000;
const QUEUEING = { everyMs: 2, withinMs: 30_000 };

/** Requests held for one cold model. */
export interface Held {
  readonly requests: number;
  readonly bodyBytes: number;
  readonly answered: number;
  /** Each is a request that was not answered with 200, in words. */
  readonly lost: readonly string[];
  /** Each is an answer out of the order in which the batches were sent. */
  readonly disorder: readonly string[];
  /** On top of the open connection, body included, garbage collected. */
  readonly heapBytes: number;
  readonly drainMs: number;
}

export async function measureHeld(parent: string, requests: number): Promise<Held> {
  const folder = join(parent, NAME);
  await mkdir(folder);
  const release = join(folder, 'release');
  const rouse = await startRouse(folder, true);
  const callers: Caller[] = [];
  try {
    await putModel(rouse, NAME, makeSpec(release, requests));
    await untilModel(rouse, NAME, ({ state }) => state === 'Asleep');
    await inParallel(requests, CONNECT_AT_ONCE, async () => {
      const caller = await createCaller(rouse.port);
      await caller.ask(makeRequest('localhost', '/healthz'));
      callers.push(caller);
    });
    await pause(SETTLE_MS);
    const before = await rouse.sample(true);
    const answers = await sendInBatches(rouse, callers);
    await pause(SETTLE_MS);
    const after = await rouse.sample(true);
    const releasedAt = performance.now();
    await writeFile(release, '');
    const ended = await Promise.allSettled(answers);
    const drainMs = performance.now() - releasedAt;
    return {
      requests,
      bodyBytes: BODY_BYTES,
      ...judge(ended),
      heapBytes: (after.heapBytes - before.heapBytes) / requests,
      drainMs,
    };
  } finally {
    for (const caller of callers) caller.close();
    await rouse.stop();
  }
}

function makeSpec(release: string, requests: number): Record<string, unknown> {
  const program = join(import.meta.dirname, 'models/held.cjs');
  return {
    revision: {
      runtime: 'command',
      args: [process.execPath, program, '${PORT}'],
      env: { RELEASE: release },
      // One at a time: the instance sees the order in which they are granted.
      concurrency: 1,
      readiness: { path: '/ready', timeout: '300s' },
      timeouts: { hold: '300s' },
    },
    scaling: { initial: 0, max: 1 },
    queue: { requests, bytes: '256Mi' },
  };
}

async function sendInBatches(
  rouse: Rouse,
  callers: readonly Caller[],
): Promise<Promise<Answered>[]> {
  const body = 'x'.repeat(BODY_BYTES);
  const answers: Promise<Answered>[] = [];
  for (const [number, caller] of callers.entries()) {
    const request = makeRequest(hostOf(NAME), '/', body, `Bench-Number: ${number}\r\n`);
    const answer = caller.ask(request).then(({ status, head, body: text }) => {
      if (status !== 200) throw new Error(`${number}: ${status} ${text}`);
      if (fieldOf(head, 'rouse-cold-start') !== 'true') throw new Error(`${number} was not held`);
      const answered: Answered = JSON.parse(text);
      return answered;
    });
    // Looked at when all have been sent.
    answer.catch(() => {});
    answers.push(answer);
    if ((number + 1) % BATCH === 0) await untilQueued(rouse, number + 1);
  }
  await untilQueued(rouse, callers.length);
  return answers;
}

async function untilQueued(rouse: Rouse, count: number): Promise<void> {
  await until(QUEUEING, async () => {
    const depth = await readGauge(rouse, 'rouse_queue_depth');
    return depth === count ? undefined : `${depth} of ${count} requests are queued`;
  });
}

function judge(
  ended: readonly PromiseSettledResult<Answered>[],
): Pick<Held, 'answered' | 'lost' | 'disorder'> {
  const answered = ended.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const lost = ended.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
  return { answered: answered.length, lost, disorder: findDisorder(answered, BATCH) };
}
