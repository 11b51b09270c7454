import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { Workload } from '../../runtime.ts';
import {
  DEFAULTS,
  workloadEnvironment,
  type Environment,
  type ReadSecret,
} from '../environment.ts';
import { fillIn } from '../fill-in.ts';
import type { Program } from '../process/group.ts';
import { findProgram, makeExecutable } from './program.ts';
import type { FindPython } from './venv.ts';

/** All that a start needs besides a place to listen. */
export interface Prepared {
  readonly source: string | undefined;
  readonly program: string;
  /** With `${PORT}` and `${LISTEN_FD}` still in them. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly variables: Environment;
}

/** Model servers of ours, as program and first arguments. The first of `python` may be replaced by that of a venv. */
export interface Programs {
  readonly serve: readonly string[];
  readonly inspect: readonly string[];
  readonly python: readonly string[];
}

/** Kinds whose servers are ours. */
export type PoolRuntime = 'onnx' | 'function' | 'python';

export interface Preparer {
  prepare(workload: Workload): Promise<Prepared>;
  /** A server of ours without a model, with all that is the same for every model of this kind. */
  generic(runtime: PoolRuntime): Promise<Program>;
  /** As prepared before, if it was. */
  known(key: string): Prepared | undefined;
  forget(key: string): void;
}

export function createPreparer(options: {
  folder: string;
  programs: Programs;
  base: Environment;
  materialize: (ref: ArtifactRef) => Promise<string>;
  readSecret: ReadSecret;
  findPython: FindPython;
}): Preparer {
  const { folder, programs, base, materialize, readSecret, findPython } = options;
  const workFolder = join(folder, 'work');
  // The first start strips types and compiles; all later ones, of any model, read the result.
  const nodeVariables = { NODE_COMPILE_CACHE: join(folder, 'bytecode', 'node') };
  const done = new Map<string, Prepared>();
  /** Begun last under each key: what was begun before it may be of a deleted revision of that name. */
  const newest = new Map<string, Workload>();

  async function prepareServer(
    argv: readonly string[],
    source: string,
    cwd: string,
    variables: Environment = {},
  ): Promise<Prepared> {
    const [name = '', ...args] = argv;
    const program = await findProgram(name, { cwd, path: base['PATH'] });
    return { source, program, args, cwd, variables };
  }

  async function preparePython(workload: Workload, source: string, cwd: string): Promise<Prepared> {
    const { artifact } = workload;
    if (artifact?.kind !== 'folder' || !existsSync(join(source, 'model.py'))) {
      const what = artifact?.name ?? 'the source';
      throw new Fault('invalid', `${what}: expected a folder with a model.py in it`);
    }
    const server = await prepareServer(programs.python, source, cwd, {
      // The source is read-only; without a place for its bytecode each start would compile it anew.
      PYTHONPYCACHEPREFIX: join(folder, 'bytecode', artifact.digest),
    });
    const { digest } = artifact;
    return { ...server, program: await findPython(server.program, { folder: source, digest }) };
  }

  async function prepareCommand(
    workload: Workload,
    source: string | undefined,
    cwd: string,
    environment: Environment,
  ): Promise<Prepared> {
    const { spec, artifact } = workload;
    const [first = '', ...rest] = spec.args;
    if (source === undefined && spec.args.some((arg) => arg.includes('${SOURCE}'))) {
      throw new Fault('invalid', 'args name ${SOURCE}, but there is no source');
    }
    const words: Environment = source === undefined ? {} : { SOURCE: source };
    const isItself = first === '${SOURCE}' && artifact?.kind === 'file' && source !== undefined;
    const name = isItself
      ? await makeExecutable(source, artifact, join(folder, 'programs'))
      : fillIn(first, words);
    const program = await findProgram(name, { cwd, path: environment['PATH'] });
    return {
      source,
      program,
      args: rest.map((arg) => fillIn(arg, words)),
      cwd,
      variables: {},
    };
  }

  async function generic(runtime: PoolRuntime): Promise<Program> {
    await mkdir(workFolder, { recursive: true, mode: 0o700 });
    const argv = runtime === 'python' ? programs.python : programs.serve;
    const server = await prepareServer(argv, '', workFolder);
    const isPython = runtime === 'python';
    return {
      path: isPython ? await findPython(server.program) : server.program,
      args: server.args,
      cwd: workFolder,
      environment: {
        ...DEFAULTS,
        ...base,
        ...(isPython ? { PYTHONPYCACHEPREFIX: join(folder, 'bytecode', 'python') } : nodeVariables),
      },
    };
  }

  async function prepareAny(workload: Workload): Promise<Prepared> {
    const { spec, inspection } = workload;
    // Says now what is missing, not at the first request.
    const environment = await workloadEnvironment(base, workload, readSecret);
    const artifact = inspection?.served ?? workload.artifact;
    const source = artifact && (await materialize(artifact));
    await mkdir(workFolder, { recursive: true, mode: 0o700 });
    const cwd = source !== undefined && artifact?.kind === 'folder' ? source : workFolder;
    if (spec.runtime === 'image') {
      throw new Fault(
        'invalid',
        'runtime image needs the Knative runtime: this one runs processes',
      );
    }
    if (spec.runtime === 'command') return prepareCommand(workload, source, cwd, environment);
    if (source === undefined) {
      throw new Fault('invalid', `${workload.key}: runtime ${spec.runtime} needs a stored source`);
    }
    return spec.runtime === 'python'
      ? preparePython(workload, source, cwd)
      : prepareServer(programs.serve, source, cwd, nodeVariables);
  }

  return {
    async prepare(workload) {
      const { key } = workload;
      newest.set(key, workload);
      try {
        const prepared = await prepareAny(workload);
        if (newest.get(key) === workload) done.set(key, prepared);
        return prepared;
      } finally {
        if (newest.get(key) === workload) newest.delete(key);
      }
    },
    generic,
    known: (key) => done.get(key),
    forget(key) {
      done.delete(key);
      newest.delete(key);
    },
  };
}
