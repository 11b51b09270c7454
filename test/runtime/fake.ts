import type { ServerMetadata } from '#domain/launch.ts';
import type { RuntimeName } from '#domain/model.ts';
import type { Inspection } from '#domain/records.ts';
import type { Address } from '#domain/routing.ts';
import type { Clock } from '#lib/clock.ts';
import { Fault } from '#lib/fault.ts';
import { silentLog } from '#lib/log.ts';
import { createFleet } from '#runtime/fleet.ts';
import type { Launcher, Reports } from '#runtime/replica.ts';
import type {
  Instance,
  LogLine,
  Runtime,
  RuntimeEvent,
  RuntimePool,
  Wanted,
  Workload,
} from '#runtime/runtime.ts';

/**
 * A runtime in memory. It has the real fleet, so orders, drains and backoff are those of the local runtime;
 * only the processes are made up, and the test decides what they do.
 */
export interface FakeRuntime extends Runtime {
  /** One process of each kind that is kept, at once, of so many bytes. */
  readonly pool: RuntimePool & { bytesEach: number };
  /** Every order, in the order given. */
  readonly orders: readonly { readonly revision: string; readonly wanted: Wanted }[];
  /** Instances whose memory was let go of while they were parked. */
  readonly pagedOut: readonly string[];
  /** Revisions in the order of their preparation. */
  readonly prepared: readonly string[];
  /** From now on nothing gets ready, in this revision or in all. */
  holdStarts(revision?: string): void;
  /** What was held gets ready, and later starts are not held. */
  letGo(revision?: string): void;
  /** From now on its starts end with this reason; `undefined`: they succeed again. */
  failStarts(revision: string, reason: string | undefined): void;
  /** Ends an instance as if by itself. */
  crash(instanceId: string, reason?: string): void;
  /** Tells that something outside of it is missing for its start. */
  tellWaiting(instanceId: string, waitingFor: string): void;
  setMemory(instanceId: string, bytes: number, cpuSeconds?: number): void;
  /** From now on its instances end only by force; `false`: SIGTERM does it. */
  ignoreTerm(revision: string, ignores: boolean): void;
  /** What `inspect` gives or throws. Default: an empty inspection. */
  setInspection(revision: string, result: Inspection | Fault): void;
  /** What its servers say of themselves when they get ready. Default: nothing. */
  setMetadata(revision: string, metadata: ServerMetadata): void;
  /** What `prepare` throws; `undefined`: it succeeds. */
  failPrepare(revision: string, fault: Fault | undefined): void;
  writeLog(instanceId: string, text: string, stream?: LogLine['stream']): void;
}

interface Process {
  readonly revision: string;
  readonly reports: Reports;
  readonly end: (reason: string) => void;
  starting: boolean;
}

const EVERYTHING = '*';

export function createFakeRuntime(options: {
  clock: Clock;
  /** Where an instance listens. Default: a port of its own on a machine that does not exist. */
  address?: (instanceId: string, revision: string) => Address;
  /** How long a start takes. Default 0: it is ready in a microtask. */
  startMs?: number;
  /** Calls `run` when a start of 0 ms is over. Default: in a microtask. */
  soon?: (run: () => void) => void;
}): FakeRuntime {
  const { clock, startMs = 0, soon = queueMicrotask } = options;
  let count = 0;
  const address =
    options.address ??
    ((id: string): Address => ({ node: 'fake', host: `${id}.invalid`, port: 80 }));
  const processes = new Map<string, Process>();
  const held = new Set<string>();
  const waiting = new Map<string, string>();
  const failing = new Map<string, string>();
  const stubborn = new Set<string>();
  const inspections = new Map<string, Inspection | Fault>();
  const metadata = new Map<string, ServerMetadata>();
  const unprepared = new Map<string, Fault>();
  const pagedOut: string[] = [];
  const orders: { revision: string; wanted: Wanted }[] = [];
  const prepared: string[] = [];
  const lines: (LogLine & { revision: string })[] = [];

  const afterStart = (run: () => void): void => {
    if (startMs === 0) soon(run);
    else clock.after(startMs, run);
  };
  const isHeld = (revision: string): boolean => held.has(revision) || held.has(EVERYTHING);

  function settle(id: string): void {
    const process = processes.get(id);
    if (!process?.starting || isHeld(process.revision)) return;
    process.starting = false;
    const reason = failing.get(process.revision);
    const { revision, reports } = process;
    if (reason === undefined) reports.ready(address(id, revision), metadata.get(revision));
    else process.end(reason);
  }

  const launch: Launcher = ({ id, workload }, reports) => {
    const revision = workload.key;
    const end = (reason: string): void => {
      if (!processes.delete(id)) return;
      const last = lines.filter((line) => line.instance === id).map((line) => line.text);
      reports.ended(reason, last);
    };
    processes.set(id, { revision, reports, end, starting: true });
    queueMicrotask(() => reports.started());
    afterStart(() => settle(id));
    return {
      terminate() {
        if (!stubborn.has(revision)) queueMicrotask(() => end('exited with status 0'));
      },
      kill: () => queueMicrotask(() => end('ended by signal SIGKILL')),
      freeze() {},
      thaw() {},
      pageOut: () => void pagedOut.push(id),
    };
  };

  const fleet = createFleet({ clock, log: silentLog, newId: () => `fake-${++count}`, launch });

  const listeners: ((event: RuntimeEvent) => void)[] = [];

  /** Until it is started, which none is that waits. */
  function withWaiting(instance: Instance): Instance {
    const waitingFor = instance.state === 'starting' ? waiting.get(instance.id) : undefined;
    return waitingFor === undefined ? instance : { ...instance, waitingFor };
  }

  let kept: readonly RuntimeName[] = [];
  const pool: FakeRuntime['pool'] = {
    bytesEach: 0,
    keep(runtimes) {
      kept = runtimes.filter((runtime) => ['onnx', 'function', 'python'].includes(runtime));
    },
    views: () =>
      kept.map((runtime) => ({
        runtime,
        starting: 0,
        idle: 1,
        memoryBytes: pool.bytesEach,
        hits: 3,
        misses: { empty: 2 },
      })),
  };

  return {
    ...fleet,
    instances: (revision) => fleet.instances(revision).map(withWaiting),
    onEvent(listener) {
      listeners.push(listener);
      fleet.onEvent(listener);
    },
    pool,
    capabilities: { exactCount: true, parks: true },
    orders,
    pagedOut,
    prepared,
    async inspect(workload) {
      const result = inspections.get(workload.key);
      if (result instanceof Fault) throw result;
      return result ?? { platform: 'fake', inputs: [], outputs: [], properties: {} };
    },
    async prepare(workload) {
      const fault = unprepared.get(workload.key);
      if (fault) throw fault;
      prepared.push(workload.key);
      if (workload.spec.runtime === 'url') fleet.want(workload, { min: 0, max: 1, desired: 0 });
    },
    async want(workload: Workload, wanted: Wanted) {
      orders.push({ revision: workload.key, wanted });
      fleet.want(workload, wanted);
    },
    async logs(revision, limit) {
      return lines.filter((line) => line.revision === revision).slice(-limit);
    },
    holdStarts(revision = EVERYTHING) {
      held.add(revision);
    },
    letGo(revision = EVERYTHING) {
      if (revision === EVERYTHING) held.clear();
      else held.delete(revision);
      const waiting = Array.from(processes.keys());
      for (const id of waiting) settle(id);
    },
    failStarts(revision, reason) {
      if (reason === undefined) failing.delete(revision);
      else failing.set(revision, reason);
    },
    crash(instanceId, reason = 'ended by signal SIGKILL') {
      const process = processes.get(instanceId);
      if (!process) throw new Error(`no instance ${instanceId} to crash`);
      process.end(reason);
    },
    tellWaiting(instanceId, waitingFor) {
      const instance = fleet.instances().find(({ id }) => id === instanceId);
      if (!instance) throw new Error(`no instance ${instanceId} that waits`);
      waiting.set(instanceId, waitingFor);
      for (const listener of listeners) {
        listener({ type: 'instance', instance: { ...instance, waitingFor } });
      }
    },
    setMemory(instanceId, bytes, cpuSeconds = 0) {
      fleet.measured(instanceId, bytes, cpuSeconds);
    },
    ignoreTerm(revision, ignores) {
      if (ignores) stubborn.add(revision);
      else stubborn.delete(revision);
    },
    setInspection(revision, result) {
      inspections.set(revision, result);
    },
    setMetadata(revision, said) {
      metadata.set(revision, said);
    },
    failPrepare(revision, fault) {
      if (fault) unprepared.set(revision, fault);
      else unprepared.delete(revision);
    },
    writeLog(instanceId, text, stream = 'stdout') {
      const revision = processes.get(instanceId)?.revision;
      if (revision === undefined) throw new Error(`no instance ${instanceId} to write a line`);
      lines.push({ at: clock.now(), instance: instanceId, stream, text, revision });
    },
  };
}
