import { pause } from '../measure/until.ts';
import type { Churn } from './churn.ts';
import { createHttpKinds, type Target } from './http-kinds.ts';
import { chat, multiplex } from './other-kinds.ts';
import { callInPipeline, callInTurn } from './raw-kinds.ts';

/** A request that has no answer by then is unaccounted for. */
const LAST_MS = 90_000;

/** All kinds side by side for so long; returns when the last has its answer. `plain`: the most, to a fast model. */
export async function runTraffic(
  target: Target,
  plain: Target,
  churn: Churn,
  ms: number,
): Promise<void> {
  const http = createHttpKinds(target);
  const until = performance.now() + ms;
  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (performance.now() < until) await work();
  };
  const workers = [
    ...times(12, () => callInTurn(plain, 'keep-alive')),
    ...times(2, () => callInPipeline(target)),
    ...times(2, () => chat(target)),
    ...times(2, () => multiplex(target)),
    ...http.run.flatMap((work) => times(2, work)),
    ...Array.from({ length: 6 }, (_, index) => () => churn.call(index)),
    () => churn.disturb(),
  ];
  const running = Promise.all(workers.map(repeat));
  await Promise.race([running, pause(ms + LAST_MS)]);
  http.close();
}

function times(count: number, work: () => Promise<void>): (() => Promise<void>)[] {
  return Array.from({ length: count }, () => work);
}
