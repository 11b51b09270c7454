import { pause } from '../measure/until.ts';
import type { Churn } from './churn.ts';
import { createGrpcKinds } from './grpc-kinds.ts';
import { createHttpKinds, type Target } from './http-kinds.ts';
import { chat, multiplex } from './other-kinds.ts';
import { callInPipeline, callInTurn } from './raw-kinds.ts';

/** A request that has no answer by then is unaccounted for. */
const LAST_MS = 90_000;

/** `mixed` speaks HTTP, `rpc` gRPC; `plain` gets the most, and is fast. */
export interface Targets {
  readonly mixed: Target;
  readonly plain: Target;
  readonly rpc: Target;
}

/** All kinds side by side for so long; returns when the last has its answer. */
export async function runTraffic(
  { mixed, plain, rpc }: Targets,
  churn: Churn,
  ms: number,
): Promise<void> {
  const http = createHttpKinds(mixed);
  const grpc = createGrpcKinds(rpc);
  const until = performance.now() + ms;
  const repeat = async (work: () => Promise<void>): Promise<void> => {
    while (performance.now() < until) await work();
  };
  const workers = [
    ...times(12, () => callInTurn(plain, 'keep-alive')),
    ...times(2, () => callInPipeline(mixed)),
    ...times(2, () => chat(mixed)),
    ...times(2, () => multiplex(mixed)),
    ...[...http.run, ...grpc.run].flatMap((work) => times(2, work)),
    ...Array.from({ length: 6 }, (_, index) => () => churn.call(index)),
    () => churn.disturb(),
  ];
  const running = Promise.all(workers.map(repeat));
  await Promise.race([running, pause(ms + LAST_MS)]);
  http.close();
  grpc.close();
}

function times(count: number, work: () => Promise<void>): (() => Promise<void>)[] {
  return Array.from({ length: count }, () => work);
}
