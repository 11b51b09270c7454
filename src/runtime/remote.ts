import { Fault } from '#lib/fault.ts';
import { callEach } from '#lib/listeners.ts';
import type { Log } from '#lib/log.ts';
import type { Answer, Call, Channel, FromRuntime, PlainFault } from './remote-messages.ts';
import type { Instance, PoolView, Runtime, RuntimeEvent, RuntimeTasks } from './runtime.ts';

/**
 * A runtime that lives in another process: see `remote-host.ts` for the other end. Resolves once the list of
 * what runs there is in: before that, nobody can say that nothing runs.
 *
 * 1. `instances()` is a mirror: what the events told so far have made of the list.
 * 2. When a call resolves, the mirror shows what it brought about at once.
 * 3. Calls that the other end will never answer, because it has gone, end with Fault `unavailable`.
 */
export async function createRemoteRuntime(options: {
  channel: Channel;
  log: Log;
}): Promise<Runtime> {
  const { channel, log } = options;
  const mirror = createMirror();
  const calls = createCalls(channel);
  const listeners: ((event: RuntimeEvent) => void)[] = [];
  let pool: readonly PoolView[] | undefined;
  const listed = Promise.withResolvers<Extract<FromRuntime, { type: 'runtime-instances' }>>();

  const emit = (event: RuntimeEvent): void => callEach(listeners, event, log);

  channel.onClose(() => {
    calls.end();
    listed.reject(gone());
  });
  channel.onMessage((message) => {
    if (message.type === 'runtime-instances') {
      for (const instance of message.instances) mirror.set(instance);
      pool = message.pool;
      listed.resolve(message);
    } else if (message.type === 'runtime-pool') {
      pool = message.views;
    } else if (message.type === 'runtime-event') {
      if (message.event.type === 'instance') mirror.set(message.event.instance);
      else mirror.remove(message.event.instance);
      emit(message.event);
    } else if (message.type === 'runtime-answer') calls.resolve(message.id, message.answer);
    else if (message.type === 'runtime-fault') calls.reject(message.id, message.fault);
  });
  channel.send({ type: 'runtime-hello' });
  const { capabilities, runsTasks = false } = await listed.promise;

  return {
    capabilities,
    ...(pool && {
      pool: {
        keep: (runtimes) => channel.send({ type: 'runtime-keep', runtimes }),
        views: () => pool ?? [],
      },
    }),
    ...(runsTasks && { tasks: lendTasks(channel, calls) }),
    async inspect(workload) {
      const { inspection } = await calls.ask({ method: 'inspect', workload });
      if (inspection) return inspection;
      throw new Fault('internal', 'the runtime gave no inspection');
    },
    async prepare(workload) {
      await calls.ask({ method: 'prepare', workload });
    },
    async want(workload, wanted) {
      await calls.ask({ method: 'want', workload, wanted });
    },
    release: (instance) => channel.send({ type: 'runtime-release', instance }),
    resume: (instance) => channel.send({ type: 'runtime-resume', instance }),
    instances: (revision) => mirror.list(revision),
    onEvent: (listener) => listeners.push(listener),
    logs: async (revision, limit) =>
      (await calls.ask({ method: 'logs', revision, limit })).lines ?? [],
    async close(graceMs) {
      await calls.ask({ method: 'close', graceMs });
    },
  };
}

function lendTasks(channel: Channel, calls: ReturnType<typeof createCalls>): RuntimeTasks {
  return {
    async run(task) {
      const { taskEnd } = await calls.ask({ method: 'run', task });
      if (taskEnd) return taskEnd;
      throw new Fault('internal', 'the runtime did not say how a task ended');
    },
    end: (key) => channel.send({ type: 'runtime-end-task', key }),
  };
}

function createMirror() {
  const all = new Map<string, Instance>();
  const byRevision = new Map<string, Map<string, Instance>>();

  return {
    set(instance: Instance): void {
      const { id, revision } = instance;
      all.set(id, instance);
      const siblings = byRevision.get(revision) ?? new Map<string, Instance>();
      byRevision.set(revision, siblings.set(id, instance));
    },
    remove({ id, revision }: Instance): void {
      all.delete(id);
      const siblings = byRevision.get(revision);
      siblings?.delete(id);
      if (siblings?.size === 0) byRevision.delete(revision);
    },
    list(revision?: string): readonly Instance[] {
      return Array.from((revision === undefined ? all : byRevision.get(revision))?.values() ?? []);
    },
  };
}

function createCalls(channel: Channel) {
  const open = new Map<number, PromiseWithResolvers<Answer>>();
  let last = 0;
  let ended = false;

  function take(id: number): PromiseWithResolvers<Answer> | undefined {
    const call = open.get(id);
    open.delete(id);
    return call;
  }

  return {
    async ask(call: Call): Promise<Answer> {
      if (ended) throw gone();
      const id = ++last;
      const answer = Promise.withResolvers<Answer>();
      open.set(id, answer);
      channel.send({ type: 'runtime-call', id, call });
      return await answer.promise;
    },
    resolve: (id: number, answer: Answer) => take(id)?.resolve(answer),
    reject(id: number, { code, message, problems, retryAfter }: PlainFault) {
      const more = { problems, ...(retryAfter !== undefined && { retryAfter }) };
      take(id)?.reject(new Fault(code, message, more));
    },
    end(): void {
      ended = true;
      for (const id of open.keys()) take(id)?.reject(gone());
    },
  };
}

function gone(): Fault {
  return new Fault('unavailable', 'the runtime has ended');
}
