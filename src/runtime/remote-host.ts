import type { Clock, Timer } from '#lib/clock.ts';
import { Fault, messageOf } from '#lib/fault.ts';
import type { Answer, Call, Channel, FromRuntime, PlainFault } from './remote-messages.ts';
import type { Runtime, Task } from './runtime.ts';

/**
 * Lends a runtime to another process: see `remote.ts` for its end. The runtime stays here, and so do its orders:
 * when the borrower dies, what was wanted is still wanted, and the next one is told what there is.
 *
 * 1. A borrower hears no event before the list of instances, and every event after it, in order.
 * 2. An answer goes out after the events that its call brought about at once.
 * 3. What stands by in the pool is told when it has changed, at most `POOL_MS` later: nothing depends on it at once.
 *    Nobody looks at it while there is no borrower.
 * 4. A task ends with its borrower: nobody else would hear how it ended.
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
  /** That run for the borrower. */
  const tasks = new Set<Task>();

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
    for (const { workload } of tasks) runtime.tasks?.end(workload.key);
    tasks.clear();
  }

  runtime.onEvent((event) => {
    if (listed) borrower?.send({ type: 'runtime-event', event });
  });

  async function answer(channel: Channel, id: number, call: Call): Promise<void> {
    if (call.method === 'run' && channel === borrower) tasks.add(call.task);
    channel.send(await run(runtime, id, call));
    if (call.method === 'run') tasks.delete(call.task);
  }

  function introduce(channel: Channel): void {
    if (channel !== borrower) return;
    listed = true;
    const { capabilities } = runtime;
    const instances = runtime.instances();
    const pool = runtime.pool?.views();
    channel.send({
      type: 'runtime-instances',
      capabilities,
      instances,
      ...(pool && { pool }),
      runsTasks: runtime.tasks !== undefined,
    });
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
        else if (message.type === 'runtime-resume') runtime.resume(message.instance);
        else if (message.type === 'runtime-end-task') runtime.tasks?.end(message.key);
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
    case 'run':
      if (!runtime.tasks) throw new Fault('not_implemented', 'this runtime runs no tasks');
      return { taskEnd: await runtime.tasks.run(call.task) };
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
