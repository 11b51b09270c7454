import {
  ENV_ARTIFACT,
  ENV_ARTIFACT_KEY,
  ENV_ARTIFACTS_URL,
  ENV_KIND,
  ENV_MODEL,
  ENV_NAMESPACE,
  ENV_REVISION,
  ENV_WORK,
} from '#domain/launch.ts';
import { revisionSpec } from '#domain/model.ts';
import { revisionKey } from '#domain/names.ts';
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
  return {
    workload: {
      key: revisionKey(found[ENV_NAMESPACE], found[ENV_MODEL], found[ENV_REVISION]),
      spec: revisionSpec.parse({ runtime: found[ENV_KIND], source: found[ENV_ARTIFACT].name }),
      artifact: found[ENV_ARTIFACT],
    },
    source: { url: found[ENV_ARTIFACTS_URL], key: found[ENV_ARTIFACT_KEY] },
    work: found[ENV_WORK],
  };
}
