import { revisionSpec } from '#domain/model.ts';
import { parseDocument } from '#domain/parse.ts';
import { podEnvironment } from '#domain/pod-environment.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { ContentSource } from './content.ts';

/** What a pod is told by its environment. */
export interface PodSettings {
  readonly workload: Workload;
  readonly source: ContentSource;
  /** Its own folder, empty at first. */
  readonly work: string;
}

/** `args`: those of the container, which are a program's. Throws Fault `invalid`, naming the variable. */
export function parsePodSettings(
  environment: NodeJS.ProcessEnv,
  args: readonly string[],
): PodSettings {
  const found = parseDocument(podEnvironment, environment, 'the environment of the pod');
  const { kind, artifact, artifactsUrl, artifactKey, work, revision } = found;
  const spec = revisionSpec.parse({ runtime: kind, source: artifact?.name, args });
  return {
    workload: { key: revision, spec, ...(artifact && { artifact }) },
    source: { url: artifactsUrl, key: artifactKey },
    work,
  };
}
