import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { systemClock, type Clock } from '#lib/clock.ts';
import { encodeManifest, manifestOf } from '#lib/folder-manifest.ts';
import { silentLog, type Log } from '#lib/log.ts';
import { createLocalRuntime } from '#runtime/local/local.ts';
import type { Programs } from '#runtime/local/prepare/prepare.ts';
import { systemProcesses } from '#runtime/local/process/proc.ts';
import type { Instance, Runtime, RuntimeEvent, Workload } from '#runtime/runtime.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { until } from '#test/until.ts';
import { wanted } from '../conformance.ts';

const WORKLOADS = fileURLToPath(new URL('../../fixtures/workloads/', import.meta.url));

/** The program itself: what is found in PATH may be a script of a version manager that sets variables. */
const PYTHON = execFileSync('python3', ['-c', 'import sys;print(sys.executable)'], {
  encoding: 'utf8',
}).trim();

export function fixture(name: string): string {
  return join(WORKLOADS, name);
}

export type Failure = Extract<RuntimeEvent, { type: 'failed' }>;

/** A local runtime in a temporary folder, with real artifacts. */
export interface LocalSetup {
  readonly runtime: Runtime;
  readonly folder: string;
  readonly stateId: string;
  readonly artifacts: Artifacts;
  readonly secrets: Map<string, string>;
  /** A revision of a model of its own. */
  workload(spec: RevisionSpecInput, artifact?: ArtifactRef): Workload;
  putFile(path: string): Promise<ArtifactRef>;
  /** Stores text as a file of this name. */
  putText(name: string, text: string): Promise<ArtifactRef>;
  /** Stores a folder; what begins with `#!` in it is executable. */
  putFolder(files: Readonly<Record<string, string | Uint8Array>>): Promise<ArtifactRef>;
  readonly events: readonly RuntimeEvent[];
  /** Prepares it, wants one instance and waits until it is ready. */
  ready(workload: Workload): Promise<Instance>;
  /** Wants one instance and waits until one has failed. */
  failed(workload: Workload): Promise<Failure>;
  close(): Promise<void>;
}

export async function createLocalSetup(
  options: { clock?: Clock; log?: Log; programs?: Programs; pool?: number } = {},
): Promise<LocalSetup> {
  const folder = await mkdtemp(join(tmpdir(), 'rt-'));
  const stateId = basename(folder);
  const artifacts = await createArtifactFolder({ folder: join(folder, 'artifacts') });
  const secrets = new Map<string, string>();
  const node = process.execPath;
  const runtime = await createLocalRuntime({
    folder: join(folder, 'runtime'),
    stateId,
    node: 'here',
    programs: options.programs ?? {
      serve: [node, fixture('server.ts')],
      inspect: [node, fixture('inspector.ts')],
      python: ['python3', fixture('server.py')],
    },
    artifacts,
    readSecret: async (namespace, name) => secrets.get(`${namespace}/${name}`),
    pool: options.pool ?? 0,
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLog,
  });
  let count = 0;
  const events: RuntimeEvent[] = [];
  runtime.onEvent((event) => events.push(event));

  async function putFile(path: string): Promise<ArtifactRef> {
    const content = createReadStream(path) as AsyncIterable<Buffer>;
    return await artifacts.put(content, { name: basename(path), kind: 'file', maxBytes: 2 ** 30 });
  }

  async function putFolder(
    files: Readonly<Record<string, string | Uint8Array>>,
  ): Promise<ArtifactRef> {
    const root = await mkdtemp(join(folder, 'source-'));
    for (const [name, content] of Object.entries(files)) {
      const path = join(root, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      if (content.toString().startsWith('#!')) await chmod(path, 0o755);
      await putFile(path);
    }
    const manifest = Buffer.from(encodeManifest(await manifestOf(root)));
    const about = { name: 'app', kind: 'folder', maxBytes: 2 ** 20 } as const;
    const ref = await artifacts.put(chunks(manifest), about);
    await rm(root, { recursive: true });
    return ref;
  }

  function failureOf(workload: Workload): Failure | undefined {
    const failures = events.filter((event) => event.type === 'failed');
    return failures.find((event) => event.instance.revision === workload.key);
  }

  function readyOf(workload: Workload): Instance | undefined {
    return runtime.instances(workload.key).find(({ state }) => state === 'ready');
  }

  return {
    events,
    putFolder,
    async ready(workload) {
      await runtime.prepare(workload);
      await runtime.want(workload, wanted(1));
      await until('it is ready or failed', () => Boolean(readyOf(workload) ?? failureOf(workload)));
      const instance = readyOf(workload);
      if (instance) return instance;
      const failure = failureOf(workload);
      throw new Error(`${failure?.reason}: ${failure?.lastLines.join(' | ')}`);
    },
    async failed(workload) {
      await runtime.want(workload, wanted(1));
      await until('it failed', () => failureOf(workload) !== undefined);
      const failure = failureOf(workload);
      if (!failure) throw new Error('it did not fail');
      return failure;
    },
    runtime,
    folder,
    stateId,
    artifacts,
    secrets,
    putFile,
    workload: (spec, artifact) => ({
      key: `default/model-${++count}/v1`,
      spec: revisionSpec.parse(spec),
      ...(artifact ? { artifact } : {}),
    }),
    async putText(name, text) {
      const path = join(folder, name);
      await writeFile(path, text);
      const ref = await putFile(path);
      await rm(path);
      return ref;
    },
    async close() {
      await runtime.close(0);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function* chunks(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield content;
}

/** Runs `fixtures/workloads/program.py`, which does what `mode` says. */
export function programArgs(mode: string, ...more: string[]): string[] {
  return [PYTHON, fixture('program.py'), mode, '${PORT}', ...more];
}

/** The pids of living processes with this mark in their environment; those of Rouse itself not among them. */
export function pidsMarked(mark: string): number[] {
  return livingWith(`ROUSE_INSTANCE=${mark}`).filter((pid) => !isRouse(pid));
}

/** The process that starts the programs of this state. */
export function spawners(stateId: string): number[] {
  return livingWith(`ROUSE_INSTANCE=${stateId}/`).filter(isRouse);
}

/** By a signal, as /proc says it. */
export function isStopped(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text[text.lastIndexOf(')') + 2] === 'T';
  } catch {
    return false;
  }
}

function isRouse(pid: number): boolean {
  return systemProcesses.environment(pid)?.includes('-rouse\0') === true;
}

function livingWith(variable: string): number[] {
  return systemProcesses
    .list()
    .filter((stat) => !stat.isDead)
    .filter((stat) => systemProcesses.environment(stat.pid)?.includes(variable) === true)
    .map((stat) => stat.pid);
}
