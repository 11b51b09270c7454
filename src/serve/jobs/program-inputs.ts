import type { ProgramOrder } from '#control/jobs/program-runner.ts';
import { MAX_ARTIFACT_BYTES } from '#control/limits.ts';
import { digestIn, digestOf } from '#control/records/source.ts';
import type { ArtifactRef } from '#domain/records.ts';
import { Fault } from '#lib/fault.ts';
import type { Artifacts } from '#store/artifacts.ts';
import { putPath, requirePath } from '#store/put-path.ts';

/** What programs are given, as stored content. Each method throws Fault `invalid` for what is not there. */
export interface ProgramInputs {
  /** Undefined: it needs no code of its own. */
  source(spec: ProgramOrder['spec']): Promise<ArtifactRef | undefined>;
  /** Looks only. */
  checkData(spec: ProgramOrder['spec']): Promise<void>;
  /** What a path names is stored as it is now. */
  takeData(spec: ProgramOrder['spec'], signal: AbortSignal): Promise<ArtifactRef | undefined>;
}

export function createProgramInputs(options: {
  artifacts: Artifacts;
  /** Throws the Fault that says why data may not be read there. */
  checkPath: (path: string) => Promise<void>;
}): ProgramInputs {
  const { artifacts, checkPath } = options;

  async function requireContent(what: string, digest: string): Promise<ArtifactRef> {
    const found = await artifacts.touch(digest);
    if (found) return found;
    throw new Fault('invalid', `${what} is sha256:${digest}, which was not pushed, or has gone`);
  }

  return {
    async source(spec) {
      const digest = digestOf(spec);
      return digest === undefined ? undefined : await requireContent('source', digest);
    },
    async checkData({ data }) {
      const digest = digestIn(data);
      if (digest !== undefined) await requireContent('data', digest);
      else if (data !== undefined) {
        await checkPath(data);
        await requirePath(data);
      }
    },
    async takeData({ data }, signal) {
      if (data === undefined) return undefined;
      const digest = digestIn(data);
      if (digest !== undefined) return await requireContent('data', digest);
      await checkPath(data);
      return await putPath(artifacts, data, { maxBytes: MAX_ARTIFACT_BYTES, signal });
    },
  };
}
