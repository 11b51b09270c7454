import { z } from 'zod';
import {
  ENV_ARTIFACT,
  ENV_ARTIFACT_KEY,
  ENV_ARTIFACTS_URL,
  ENV_INPUTS,
  ENV_KIND,
  ENV_MODEL,
  ENV_NAMESPACE,
  ENV_OUTPUT_KEY,
  ENV_OUTPUT_URL,
  ENV_REVISION,
  ENV_WORK,
} from './launch.ts';
import { revisionKey } from './names.ts';

const artifact = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex'),
  size: z.int().nonnegative(),
  name: z.string().min(1),
  kind: z.enum(['file', 'folder']),
});
const address = z.url({ protocol: /^https?$/ });
const key = z.string().min(1);
const work = z.string().startsWith('/');
/** Where the content is, and what opens it. */
const content = {
  [ENV_ARTIFACT]: z.string().transform(parseJson).pipe(artifact),
  [ENV_ARTIFACTS_URL]: address,
  [ENV_ARTIFACT_KEY]: key,
};
const identity = {
  [ENV_WORK]: work,
  [ENV_NAMESPACE]: z.string().min(1),
  [ENV_MODEL]: z.string().min(1),
  [ENV_REVISION]: z.string().min(1),
};
const server = z.object({
  [ENV_KIND]: z.enum(['onnx', 'function', 'python']),
  ...content,
  ...identity,
});
/** A program may need no content. */
const program = z.object({
  [ENV_KIND]: z.literal('command'),
  ...z.object(content).partial().shape,
  ...identity,
});

/** What our image is told in a cluster, by the variables that the runtime sets. */
export const podEnvironment = z
  .discriminatedUnion(ENV_KIND, [server, program])
  .transform((found) => ({
    kind: found[ENV_KIND],
    artifact: found[ENV_ARTIFACT],
    artifactsUrl: found[ENV_ARTIFACTS_URL] ?? '',
    artifactKey: found[ENV_ARTIFACT_KEY] ?? '',
    work: found[ENV_WORK],
    revision: revisionKey(found[ENV_NAMESPACE], found[ENV_MODEL], found[ENV_REVISION]),
  }));

/** What a program is given: in the folder `place`, under its name. */
const programInput = z.strictObject({
  place: z.enum(['source', 'data', 'parent']),
  artifact,
  key,
});
export type ProgramInput = z.output<typeof programInput>;

/** What the step before a program is told. */
export const fetchEnvironment = z
  .object({
    [ENV_WORK]: work,
    [ENV_ARTIFACTS_URL]: address,
    [ENV_INPUTS]: z.string().transform(parseJson).pipe(z.array(programInput)),
  })
  .transform((found) => ({
    work: found[ENV_WORK],
    url: found[ENV_ARTIFACTS_URL],
    inputs: found[ENV_INPUTS],
  }));

/** What the step after it is told. */
export const leaveEnvironment = z
  .object({ [ENV_WORK]: work, [ENV_OUTPUT_URL]: address, [ENV_OUTPUT_KEY]: key })
  .transform((found) => ({
    work: found[ENV_WORK],
    url: found[ENV_OUTPUT_URL],
    key: found[ENV_OUTPUT_KEY],
  }));

function parseJson(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue('JSON');
    return z.NEVER;
  }
}
