import { revisionSpec } from '#domain/model.ts';
import { parseDocument } from '#domain/parse.ts';
import { podEnvironment } from '#domain/pod-environment.ts';
import type { Workload } from '#runtime/runtime.ts';
import type { ContentSource } from './content.ts';

/** What a pod is told by its environment. */
export interface PodSettings {
  readonly workload: Workload & Required<Pick<Workload, 'artifact'>>;
  readonly source: ContentSource;
  /** Its own folder, empty at first. */
  readonly work: string;
}

/** Throws Fault `invalid`, naming the variable. */
export function parsePodSettings(environment: NodeJS.ProcessEnv): PodSettings {
  const found = parseDocument(podEnvironment, environment, 'the environment of the pod');
  const { kind, artifact, artifactsUrl, artifactKey, work, revision } = found;
  const spec = revisionSpec.parse({ runtime: kind, source: artifact.name });
  return {
    workload: { key: revision, spec, artifact },
    source: { url: artifactsUrl, key: artifactKey },
    work,
  };
}
