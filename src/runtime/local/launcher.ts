import { addressOf } from '#domain/address.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';
import type { Launcher } from '../replica.ts';
import type { InstanceOrigin, LogLine, Workload } from '../runtime.ts';
import { reachElsewhere } from './elsewhere.ts';
import { workloadEnvironment, type Environment, type ReadSecret } from './environment.ts';
import { fillIn } from './fill-in.ts';
import type { Bound, Extra, Group, Program } from './process/group.ts';
import { canBeTold } from './process/prefork.ts';
import type { ProcessEvents } from './process/process-host.ts';
import type { Prepared } from './prepare/prepare.ts';
import type { Pager } from './parking/pager.ts';
import { openPort, openSocket, type Transport } from './ready/transport.ts';

/** Lines of output that a failure carries. */
const LAST_LINES = 20;

export interface LauncherOptions {
  readonly node: string;
  readonly runFolder: string;
  readonly clock: Clock;
  readonly start: (
    id: string,
    program: Program,
    extra: Extra,
    events: ProcessEvents,
  ) => { readonly group: Group; readonly origin: InstanceOrigin };
  readonly takeBound: () => Bound | undefined;
  readonly pager: Pager;
  readonly lowPriority: (program: Program) => Promise<Program>;
  readonly base: Environment;
  readonly readSecret: ReadSecret;
  readonly prepared: (workload: Workload) => Prepared | Promise<Prepared>;
  readonly onLine: (revision: string, line: LogLine) => void;
  readonly onUsage: (id: string, memoryBytes: number, cpuSeconds: number) => void;
}

/** Makes instances that are processes of this machine. */
export function createLauncher(options: LauncherOptions): Launcher {
  const { clock, start, pager } = options;
  const usedPorts = new Set<number>();

  async function open(
    id: string,
    workload: Workload,
    ready: Prepared,
    environment: Environment,
  ): Promise<Transport> {
    if (workload.spec.runtime !== 'command') {
      return openSocket({ ...options, id }, workload, ready.source ?? '');
    }
    const takeBound = (): Bound | undefined =>
      canBeTold({ ...ready, environment }) ? options.takeBound() : undefined;
    return openPort({ ...options, usedPorts, takeBound }, workload);
  }

  return ({ id, workload }, reports) => {
    const url = addressOf(workload.spec, options.node);
    if (url) return reachElsewhere(workload, url, clock, reports);

    const lastLines: string[] = [];
    let group: Group | undefined;
    let transport: Transport | undefined;
    let isCancelled = false;
    let loadError: string | undefined;

    function onLine(stream: LogLine['stream'], text: string): void {
      if (lastLines.push(text) > LAST_LINES) lastLines.shift();
      options.onLine(workload.key, { at: clock.now(), instance: id, stream, text });
    }

    async function begin(): Promise<void> {
      const ready = await options.prepared(workload);
      const environment = await workloadEnvironment(options.base, workload, options.readSecret);
      if (isCancelled) return;
      const opened = await open(id, workload, ready, environment);
      transport = opened;
      const own = makeProgram(ready, environment, opened);
      const program = workload.priority === 'low' ? await options.lowPriority(own) : own;
      if (isCancelled) opened.close();
      else run(program, opened);
    }

    function run(program: Program, to: Transport): void {
      const started = start(id, program, to.extra, {
        onStart() {
          // Before it can be ready, which it may be already.
          reports.started(started.origin);
          to.started({
            onReady: (metadata) => reports.ready(to.address, metadata),
            onError(message) {
              loadError = message;
              group?.signal('SIGKILL');
            },
          });
        },
        onLine,
        onExtra: (text) => to.heard(text),
        onExit: () => to.close(),
        onUsage: (memoryBytes, cpuSeconds) => options.onUsage(id, memoryBytes, cpuSeconds),
        onEnd({ how, isLost }) {
          to.close();
          // What it said itself is the reason; that it then ended, or was ended for it, says nothing more.
          if (loadError === undefined) reports.ended(how, lastLines, isLost);
          else reports.ended(loadError, lastLines);
        },
      });
      group = started.group;
    }

    function cancel(): void {
      isCancelled = true;
      queueMicrotask(() => reports.ended('was not started', []));
    }

    begin().catch((error: unknown) => reports.ended(messageOf(error), lastLines));
    return {
      terminate() {
        if (!group) cancel();
        // What is frozen can finish only when it runs.
        for (const signal of ['SIGTERM', 'SIGCONT'] as const) group?.signal(signal);
      },
      kill() {
        if (group) group.signal('SIGKILL');
        else cancel();
      },
      freeze: () => group?.signal('SIGSTOP'),
      thaw: () => group?.signal('SIGCONT'),
      pageOut() {
        if (group?.leader) pager.pageOut(group.leader);
      },
      seen: () => transport?.seen(),
    };
  };
}

function makeProgram(ready: Prepared, environment: Environment, to: Transport): Program {
  return {
    path: ready.program,
    args: ready.args.map((arg) => fillIn(arg, to.words)),
    cwd: ready.cwd,
    environment: { ...environment, ...ready.variables, ...to.variables },
  };
}
