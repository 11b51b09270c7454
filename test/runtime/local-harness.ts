import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { revisionSpec, type RevisionSpecInput } from '#domain/model.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { systemClock, type Clock } from '#lib/clock.ts';
import { silentLog, type Log } from '#lib/log.ts';
import { createLocalRuntime } from '#runtime/local/local.ts';
import { systemProcesses } from '#runtime/local/proc.ts';
import type { Runtime, Workload } from '#runtime/runtime.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import type { Artifacts } from '#store/artifacts.ts';

const WORKLOADS = fileURLToPath(new URL('../fixtures/workloads/', import.meta.url));

export function fixture(name: string): string {
  return join(WORKLOADS, name);
}

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
  close(): Promise<void>;
}

export async function createLocalSetup(
  options: {
    clock?: Clock;
    log?: Log;
    serve?: readonly string[];
    inspect?: readonly string[];
  } = {},
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
    programs: {
      serve: options.serve ?? [node, fixture('server.ts')],
      inspect: options.inspect ?? [node, fixture('inspector.ts')],
      python: ['python3', fixture('server.py')],
    },
    artifacts,
    readSecret: async (namespace, name) => secrets.get(`${namespace}/${name}`),
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLog,
  });
  let count = 0;

  async function putFile(path: string): Promise<ArtifactRef> {
    const content = createReadStream(path) as AsyncIterable<Buffer>;
    return await artifacts.put(content, { name: basename(path), kind: 'file', maxBytes: 2 ** 30 });
  }

  return {
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

/** The pids of living processes with this mark in their environment. */
export function pidsMarked(mark: string): number[] {
  const needle = `ROUSE_INSTANCE=${mark}`;
  return systemProcesses
    .list()
    .filter((stat) => !stat.isDead)
    .filter((stat) => systemProcesses.environment(stat.pid)?.includes(needle) === true)
    .map((stat) => stat.pid);
}
