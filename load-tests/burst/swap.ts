import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exchange, makeRequest } from '../measure/exchange.ts';
import { quantile } from '../measure/figures.ts';
import { readGauge } from '../measure/gauges.ts';
import { hostOf, putModel } from '../measure/model.ts';
import { inParallel } from '../measure/parallel.ts';
import { startRouse } from '../measure/rouse.ts';
import { pause } from '../measure/until.ts';
import { countStartsInOrder, mostOvertaken } from './order.ts';

const MODELS = 100;
/** So many fit into the memory at once. */
export const PLACES = 10;
/** Each is asked so often, all in turns: A B C … A B C …, a second apart. */
const ROUNDS = 5;
const EVERY_MS = 1000;
const START_MS = 100;
/** A turn, as the policy has it, for each filling of the memory, and as long again for starts on a busy machine. */
export const LONGEST_MS = (MODELS / PLACES) * 5000 * 2;
const AT_ONCE = 8;

/** Many models woken at once where few fit. */
export interface Swap {
  readonly models: number;
  readonly requests: number;
  readonly answered: number;
  /** Each is a request that was not answered with 200, in words. */
  readonly lost: readonly string[];
  readonly starts: number;
  /** What it would take to serve the same requests one by one in the order in which they were sent. */
  readonly startsInOrder: number;
  readonly overtaken: number;
  /** From sending to the answer. */
  readonly waits: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
}

export async function measureSwap(parent: string): Promise<Swap> {
  const folder = join(parent, 'swap');
  await mkdir(folder);
  const rouse = await startRouse(folder, false, ['--memory', `${PLACES * 100}Mi`, '--pool', '0']);
  try {
    await inParallel(MODELS, AT_ONCE, (index) => putModel(rouse, `swap-${index}`, makeSpec()));
    const before = await readGauge(rouse, 'rouse_cold_starts_total');
    const sent: number[] = [];
    const served: number[] = [];
    const waits: number[] = [];
    const asked: Promise<void>[] = [];
    const lost: string[] = [];
    const ask = async (model: number): Promise<void> => {
      const sentAt = performance.now();
      const name = `swap-${model}`;
      const answer = await exchange({ port: rouse.port }, makeRequest(hostOf(name), '/'));
      if (answer.status !== 200) throw new Error(`${name}: ${answer.status} ${answer.body}`);
      waits.push(performance.now() - sentAt);
      if (!served.includes(model)) served.push(model);
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (let model = 0; model < MODELS; model++) {
        sent.push(model);
        asked.push(ask(model).catch((error: unknown) => void lost.push(String(error))));
      }
      await pause(EVERY_MS);
    }
    await Promise.all(asked);
    const starts = (await readGauge(rouse, 'rouse_cold_starts_total')) - before;
    const sorted = waits.toSorted((a, b) => a - b);
    return {
      models: MODELS,
      requests: sent.length,
      answered: waits.length,
      lost,
      starts,
      startsInOrder: countStartsInOrder(sent, PLACES),
      overtaken: mostOvertaken(served),
      waits: {
        p50Ms: quantile(sorted, 0.5),
        p99Ms: quantile(sorted, 0.99),
        maxMs: sorted.at(-1) ?? 0,
      },
    };
  } finally {
    await rouse.stop();
  }
}

function makeSpec(): Record<string, unknown> {
  const program = join(import.meta.dirname, 'models/swap.cjs');
  return {
    revision: {
      runtime: 'command',
      args: [process.execPath, program, '${LISTEN_FD}', String(START_MS)],
      resources: { memory: '100Mi' },
      timeouts: { hold: '300s' },
    },
    scaling: { initial: 0, max: 1 },
  };
}
