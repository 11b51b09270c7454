import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type {
  ContainerStatus,
  Job,
  JobContainer,
  KubeObject,
  Pod,
  Terminated,
} from '#knative/api/objects.ts';
import { JOBS, PODS } from '#knative/api/resources.ts';
import { removeTree } from '#store/remove-tree.ts';
import { kindOf, type ObjectStore, type Stored } from '../object-store.ts';

/**
 * What Kubernetes does with Jobs of programs, as far as Rouse notices: a pod, whose containers are processes here that run
 * one after the other in a folder of their own, which they know as `/rouse` and `/tmp`; the end of the Job; and a Job that
 * stays until its pod has ended.
 */
export interface FakePods {
  /** The pods that run, by name. */
  running(): string[];
  /** Ends it as a node does that dies: its program does not say anything any more, and the pod has gone. */
  kill(name: string): Promise<void>;
  /** From now on no container is begun: it waits, with this reason. */
  stick(reason: string | undefined): void;
  close(): Promise<void>;
}

interface Running {
  readonly job: Job;
  child?: ChildProcess;
  isOver: boolean;
  readonly ended: Promise<void>;
}

const ROOT = resolve(import.meta.dirname, '../../..');
const LINES = 80;

/** `images`: the program that an image begins with. */
export function createFakePods(
  store: ObjectStore,
  images: Readonly<Record<string, readonly string[]>> = {},
): FakePods {
  const pods = new Map<string, Running>();
  let stuck: string | undefined;
  let count = 0;

  const nameOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`;

  async function run(job: Job, pod: Pod, own: Running): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'pod-'));
    // What is made in a volume that has a group has that group, too.
    await chmod(folder, 0o2777);
    const spec = job.spec?.template.spec;
    const init = spec?.initContainers ?? [];
    const main = spec?.containers ?? [];
    let isWell = true;
    for (const container of [...init, ...main]) {
      if (own.isOver) break;
      const isInit = init.includes(container);
      if (stuck !== undefined) {
        say(pod, isInit, { name: container.name, state: { waiting: { reason: stuck } } });
        break;
      }
      const end = await runContainer(container, folder, own, pod);
      if (own.isOver) break;
      say(pod, isInit, { name: container.name, state: { terminated: end } });
      isWell = end.exitCode === 0;
      if (!isWell) break;
    }
    await removeTree(folder);
    if (own.isOver || stuck !== undefined) return;
    finish(job, isWell ? 'Complete' : 'Failed');
  }

  async function runContainer(
    container: JobContainer,
    folder: string,
    own: Running,
    pod: Pod,
  ): Promise<Terminated> {
    const here = (text: string): string =>
      text
        .replaceAll('$$', '$')
        .replace(/^\/rouse(?=\/|$)/, folder)
        .replace(/^\/tmp$/, folder)
        .replace('/dev/termination-log', join(folder, 'termination-log'));
    const { command = images[container.image] ?? [], args = [] } = container;
    const [program = '', ...rest] = [...command, ...args].map(here);
    const env = Object.fromEntries(
      container.env.map((each) => [each.name, here('value' in each ? each.value : 'a secret')]),
    );
    const isOurs = command.some((word) => word.startsWith('src/'));
    const startedAt = new Date().toISOString();
    const child = spawn(program === 'node' ? process.execPath : program, rest, {
      cwd: isOurs ? ROOT : here(container.workingDir ?? folder),
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    own.child = child;
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        lines.push(...text.trimEnd().split('\n'));
        if (container.name === 'program') keepLog(pod, lines);
      });
    }
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    const exitCode = status ?? (signal === 'SIGKILL' ? 137 : 143);
    const said = await readFile(join(folder, 'termination-log'), 'utf8').catch(() => '');
    const message = exitCode === 0 ? said : lines.slice(-LINES).join('\n');
    return { exitCode, startedAt, finishedAt: new Date().toISOString(), message };
  }

  function change(pod: Pod, part: (known: Pod) => Pod): void {
    const { namespace = '', name } = pod.metadata;
    const known = store.get(PODS, namespace, name);
    if (known) store.put(PODS, part(known as Pod));
  }

  function say(pod: Pod, isInit: boolean, status: ContainerStatus): void {
    const key = isInit ? 'initContainerStatuses' : 'containerStatuses';
    change(pod, (known) => ({
      ...known,
      status: { ...known.status, [key]: [...(known.status?.[key] ?? []), status] },
    }));
  }

  function keepLog(pod: Pod, lines: readonly string[]): void {
    const log = lines.map((line) => `${new Date().toISOString().replace('Z', '000000Z')} ${line}`);
    change(pod, (known) => ({ ...known, log: `${log.join('\n')}\n` }) as Pod);
  }

  function finish({ metadata: { namespace = '', name } }: Job, type: string): void {
    const found = store.get(JOBS, namespace, name);
    const status = { conditions: [{ type, status: 'True', reason: 'BackoffLimitExceeded' }] };
    if (found) store.put(JOBS, { ...found, status } as Stored);
  }

  function begin(job: Job): void {
    const { namespace = '', name } = job.metadata;
    const made: Pod = {
      metadata: {
        namespace,
        name: `${name}-${count++}`,
        labels: {
          ...job.spec?.template.metadata.labels,
          'batch.kubernetes.io/job-name': name,
        },
      },
      status: {},
    };
    const pod = store.put(PODS, made) as Pod;
    const done = Promise.withResolvers<void>();
    const own: Running = { job, isOver: false, ended: done.promise };
    pods.set(nameOf(job), own);
    void run(job, pod, own).finally(done.resolve);
  }

  function podOf({ metadata }: Job): Stored | undefined {
    return store
      .all(PODS)
      .find(
        ({ metadata: { namespace, labels = {} } }) =>
          namespace === metadata.namespace &&
          labels['batch.kubernetes.io/job-name'] === metadata.name,
      );
  }

  async function end(own: Running): Promise<void> {
    own.isOver = true;
    const { pid } = own.child ?? {};
    try {
      if (pid !== undefined && own.child?.exitCode === null) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended just now.
    }
    await own.ended;
    const pod = podOf(own.job);
    if (pod) store.delete(PODS, pod.metadata.namespace ?? '', pod.metadata.name);
  }

  async function removeJob(job: Stored): Promise<void> {
    const key = nameOf(job);
    const own = pods.get(key);
    pods.delete(key);
    if (own) await end(own);
    store.delete(JOBS, job.metadata.namespace ?? '', job.metadata.name);
  }

  const stop = store.onEvent(({ kind, type, object }) => {
    if (kind !== kindOf(JOBS) || type === 'DELETED') return;
    const { metadata } = object;
    if (metadata.deletionTimestamp !== undefined) void removeJob(object);
    else if (type === 'ADDED') {
      // What the API server adds to what is removed in the foreground.
      store.put(JOBS, { ...object, metadata: { ...metadata, finalizers: ['foregroundDeletion'] } });
      begin(object as Job);
    }
  });

  return {
    running: () =>
      Array.from(pods.values())
        .filter(({ child, isOver }) => !isOver && child?.exitCode === null)
        .flatMap(({ job }) => podOf(job)?.metadata.name ?? []),
    async kill(name) {
      const own = Array.from(pods.values()).find(({ job }) => podOf(job)?.metadata.name === name);
      if (!own) throw new Error(`no pod ${name} runs`);
      await end(own);
      finish(own.job, 'Failed');
    },
    stick: (reason) => void (stuck = reason),
    async close() {
      stop();
      await Promise.all(Array.from(pods.values(), end));
    },
  };
}
