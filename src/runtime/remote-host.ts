import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Answer, Call, Channel, FromRuntime, PlainFault } from './remote-messages.ts';
import type { Runtime } from './runtime.ts';

/**
 * Lends a runtime to another process: see `remote.ts` for its end. The runtime stays here, and so do its orders:
 * when the borrower dies, what was wanted is still wanted, and the next one is told what there is.
 *
 * 1. A borrower hears no event before the list of instances, and every event after it, in order.
 * 2. An answer goes out after the events that its call brought about at once.
 * 3. What stands by in the pool is told when it has changed, at most `POOL_MS` later: nothing depends on it at once.
 *    Nobody looks at it while there is no borrower.
 */
const POOL_MS = 500;

export interface RuntimeHost {
  /** Serves this borrower. The one before, if any, hears nothing any more. */
  serve(channel: Channel): void;
  /** Nobody is told anything any more. The runtime goes on. */
  close(): void;
}

export function createRuntimeHost(options: { runtime: Runtime; clock: Clock }): RuntimeHost {
  const { runtime, clock } = options;
  let borrower: Channel | undefined;
  let listed = false;
  let toldPool = '';
  let timer: Timer | undefined;

  function tellPool(): void {
    const views = runtime.pool?.views();
    const text = JSON.stringify(views);
    if (views && text !== toldPool) borrower?.send({ type: 'runtime-pool', views });
    toldPool = text;
    timer = clock.after(POOL_MS, tellPool);
  }

  function leave(): void {
    borrower = undefined;
    listed = false;
    timer?.cancel();
  }

  runtime.onEvent((event) => {
    if (listed) borrower?.send({ type: 'runtime-event', event });
  });

  async function answer(channel: Channel, id: number, call: Call): Promise<void> {
    channel.send(await run(runtime, id, call));
  }

  function introduce(channel: Channel): void {
    if (channel !== borrower) return;
    listed = true;
    const { capabilities } = runtime;
    const instances = runtime.instances();
    const pool = runtime.pool?.views();
    channel.send({ type: 'runtime-instances', capabilities, instances, ...(pool && { pool }) });
    if (!pool) return;
    toldPool = JSON.stringify(pool);
    timer?.cancel();
    timer = clock.after(POOL_MS, tellPool);
  }

  return {
    serve(channel) {
      leave();
      borrower = channel;
      channel.onMessage((message) => {
        if (message.type === 'runtime-hello') introduce(channel);
        else if (message.type === 'runtime-release') runtime.release(message.instance);
        else if (message.type === 'runtime-refreeze') runtime.refreeze?.(message.revision);
        else if (message.type === 'runtime-keep') runtime.pool?.keep(message.runtimes);
        else if (message.type === 'runtime-call') void answer(channel, message.id, message.call);
      });
      channel.onClose(() => {
        if (borrower === channel) leave();
      });
    },
    close: leave,
  };
}

async function run(runtime: Runtime, id: number, call: Call): Promise<FromRuntime> {
  try {
    return { type: 'runtime-answer', id, answer: await perform(runtime, call) };
  } catch (error) {
    return { type: 'runtime-fault', id, fault: plainOf(error) };
  }
}

async function perform(runtime: Runtime, call: Call): Promise<Answer> {
  switch (call.method) {
    case 'inspect':
      return { inspection: await runtime.inspect(call.workload) };
    case 'logs':
      return { lines: await runtime.logs(call.revision, call.limit) };
    case 'prepare':
      await runtime.prepare(call.workload);
      break;
    case 'want':
      await runtime.want(call.workload, call.wanted);
      break;
    case 'close':
      await runtime.close(call.graceMs);
      break;
    default:
  }
  return {};
}

function plainOf(error: unknown): PlainFault {
  const fault = error instanceof Fault ? error : new Fault('internal', messageOf(error));
  const { code, message, problems, retryAfter } = fault;
  return { code, message, problems, retryAfter };
}
