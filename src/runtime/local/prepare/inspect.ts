import { createReadStream } from 'node:fs';
import { lstat, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ENV_KIND, ENV_OUTPUT, ENV_RESULT_FD, ENV_SOURCE } from '#domain/launch.ts';
import type { RuntimeName } from '#domain/model.ts';
import { inspection, type ArtifactRef, type Inspection } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import { jsonOf } from '#lib/json.ts';
import type { Runtime, Workload } from '../../runtime.ts';
import type { Environment } from '../environment.ts';
import { EXTRA_FD } from '../process/group.ts';
import { createLimit } from './limit.ts';
import { findProgram } from './program.ts';
import type { RunTool, ToolEnd } from './tool.ts';

/** The others tell nothing before they run. */
const INSPECTED: ReadonlySet<RuntimeName> = new Set(['onnx', 'function']);

/** Stores content; the part of the artifact store that the inspection needs. */
export type PutArtifact = (
  content: AsyncIterable<Uint8Array>,
  options: { name: string; kind: ArtifactRef['kind']; maxBytes: number },
) => Promise<ArtifactRef>;

/** Reading the graph of a model of some gigabytes takes seconds; beyond this the file is at fault. */
const INSPECT_MS = 120_000;
/** The program itself, and its library. */
const INSPECT_BYTES = 1024 ** 3;
/** How often a model may be in memory: the file, what was read from it, and what is written. */
const COPIES = 4;
/** A core each; the data plane wants one, too. */
const INSPECTIONS_AT_ONCE = 2;
/** What a changed model may have more than the original: it becomes smaller as a rule. */
const ROOM_FOR_CHANGES = 16 * 1024 ** 2;

/** Looks into files from strangers in a process of its own: what it breaks there harms nobody. */
export function createInspector(options: {
  folder: string;
  inspect: readonly string[];
  base: Environment;
  materialize: (ref: ArtifactRef) => Promise<string>;
  put: PutArtifact;
  runTool: RunTool;
}): Runtime['inspect'] {
  const { folder, inspect, base, materialize, put, runTool } = options;
  const limit = createLimit(INSPECTIONS_AT_ONCE);

  async function run(
    kind: RuntimeName,
    artifact: ArtifactRef,
    source: string,
    output: string,
  ): Promise<ToolEnd> {
    const [name = '', ...args] = inspect;
    const path = await findProgram(name, { cwd: folder, path: base['PATH'] });
    const environment = {
      ...base,
      [ENV_KIND]: kind,
      [ENV_SOURCE]: source,
      [ENV_OUTPUT]: output,
      [ENV_RESULT_FD]: String(EXTRA_FD),
    };
    const memoryBytes = INSPECT_BYTES + COPIES * artifact.size;
    return await runTool(
      { path, args, cwd: output, environment },
      { timeMs: INSPECT_MS, memoryBytes },
    );
  }

  async function look(kind: RuntimeName, artifact: ArtifactRef): Promise<Inspection> {
    const source = await materialize(artifact);
    const temporary = join(folder, 'tmp');
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    const output = await mkdtemp(join(temporary, 'inspect-'));
    try {
      const end = await run(kind, artifact, source, output);
      const found = resultOf(artifact.name, end);
      if (found.served === undefined) return found.inspection;
      const path = await insideOf(output, found.served);
      const maxBytes = artifact.size + ROOM_FOR_CHANGES;
      const content = createReadStream(path) as AsyncIterable<Buffer>;
      const served = await put(content, { name: artifact.name, kind: 'file', maxBytes });
      return { ...found.inspection, served };
    } finally {
      await rm(output, { recursive: true, force: true });
    }
  }

  return async (workload: Workload) => {
    const { spec, artifact } = workload;
    if (!INSPECTED.has(spec.runtime))
      return inspection.parse({ platform: `rouse_${spec.runtime}` });
    if (!artifact) {
      throw new Fault('invalid', `${workload.key}: runtime ${spec.runtime} needs a stored source`);
    }
    return await limit(() => look(spec.runtime, artifact));
  };
}

function resultOf(name: string, end: ToolEnd): { inspection: Inspection; served?: string } {
  const value = jsonOf(end.result);
  if (typeof value === 'object' && value !== null) {
    if ('error' in value) {
      const error = String(value.error);
      throw new Fault('invalid', error.startsWith(name) ? error : `${name}: ${error}`);
    }
    const parsed = inspection.safeParse('inspection' in value ? value.inspection : undefined);
    if (end.ok && parsed.success) {
      const served =
        'served' in value && typeof value.served === 'string' ? value.served : undefined;
      return { inspection: parsed.data, ...(served === undefined ? {} : { served }) };
    }
  }
  const last = end.lines.slice(-3).join('\n  ');
  const how = end.ok ? 'gave no result' : end.how;
  throw new Fault(
    'invalid',
    `${name} could not be inspected: the inspection ${how}\n  ${last}`.trimEnd(),
  );
}

/** The process has read a stranger's file: what it names must be a plain file in its own folder. */
async function insideOf(folder: string, path: string): Promise<string> {
  const isPlain = (await lstat(path).catch(() => undefined))?.isFile() === true;
  const home = isPlain ? await realpath(dirname(path)) : '';
  if (home === (await realpath(folder))) return join(home, basename(path));
  throw new Fault('internal', `the inspection names ${path}, which is no file in its folder`);
}
