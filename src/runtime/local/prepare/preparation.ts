import { join } from 'node:path';
import type { ArtifactRef } from '#domain/records.ts';
import type { Runtime, Workload } from '../../runtime.ts';
import type { Environment, ReadSecret } from '../environment.ts';
import { createInspector, type PutArtifact } from './inspect.ts';
import { createPreparer, type Prepared, type Preparer, type Programs } from './prepare.ts';
import type { RunTool } from './tool.ts';
import { createVenvs } from './venv.ts';

/** The part of the artifact store that is needed to run what is stored. */
export interface ArtifactFiles {
  /** A path with a copy of the content; what was changed since is made anew. */
  materialize(ref: ArtifactRef): Promise<string>;
  readonly put: PutArtifact;
}

/** All that happens to a workload before its start. */
export interface Preparation {
  readonly preparer: Preparer;
  /** What was prepared serves again; a copy of the source that an instance has written to is made anew. */
  readonly prepareForStart: (workload: Workload) => Promise<Prepared>;
  readonly inspect: Runtime['inspect'];
}

export function createPreparation(options: {
  folder: string;
  programs: Programs;
  /** What programs may know of Rouse's own environment, and what the building of one for Python may. */
  base: Environment;
  building: Environment;
  artifacts: ArtifactFiles;
  readSecret: ReadSecret;
  runTool: RunTool;
}): Preparation {
  const { folder, programs, base, building, artifacts, readSecret, runTool } = options;
  const materialize = (ref: ArtifactRef): Promise<string> => artifacts.materialize(ref);
  const findPython = createVenvs({
    folder: join(folder, 'venvs'),
    environment: building,
    runTool,
  });
  const preparer = createPreparer({ folder, programs, base, materialize, readSecret, findPython });
  return {
    preparer,
    async prepareForStart(workload) {
      const known = preparer.known(workload.key);
      const source = workload.inspection?.served ?? workload.artifact;
      if (known && source) await materialize(source);
      return known ?? (await preparer.prepare(workload));
    },
    inspect: createInspector({
      folder,
      inspect: programs.inspect,
      base,
      materialize,
      put: (content, about) => artifacts.put(content, about),
      runTool,
    }),
  };
}
