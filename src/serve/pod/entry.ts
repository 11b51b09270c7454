import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ENV_SOURCE } from '#domain/launch.ts';
import { messageOf } from '#lib/fault.ts';
import { baseEnvironment, buildEnvironment, DEFAULTS } from '#runtime/local/environment.ts';
import { createPreparer, type Prepared } from '#runtime/local/prepare/prepare.ts';
import { createVenvs } from '#runtime/local/prepare/venv.ts';
import { createArtifactFolder } from '#store/artifact-folder.ts';
import { programs } from '../local-runtime.ts';
import { fetchContent } from './content.ts';
import { parsePodSettings, type PodSettings } from './settings.ts';
import { createPodTools } from './tools.ts';

/**
 * The entry of the server image: fetches the artifact by its digest, prepares what a start needs as the local runtime
 * does, and becomes the model server. A failure is the last line of its log, which the platform shows as the reason.
 */

/** Large models over slow lines; Knative gives up on a revision after ten minutes. */
const FETCH_MS = 30 * 60_000;

async function prepare({ workload, source, work }: PodSettings): Promise<Prepared> {
  const artifacts = await createArtifactFolder({ folder: join(work, 'artifacts') });
  const signal = AbortSignal.timeout(FETCH_MS);
  await fetchContent(source, workload.artifact, {
    artifacts,
    signal,
    wait: (ms) => setTimeout(ms, undefined, { signal }),
    warn: (text) => console.error(text),
  });
  const preparer = createPreparer({
    folder: work,
    programs: programs(),
    base: baseEnvironment(process.env),
    materialize: (ref) => artifacts.materialize(ref),
    // The cluster has put their values into the environment.
    readSecret: async () => undefined,
    findPython: createVenvs({
      folder: join(work, 'venvs'),
      runTool: createPodTools(),
      environment: buildEnvironment(process.env),
    }),
  });
  return await preparer.prepare(workload);
}

async function become({ program, args, cwd, source, variables }: Prepared): Promise<void> {
  const environment = {
    ...DEFAULTS,
    ...process.env,
    ...variables,
    ...(source !== undefined && { [ENV_SOURCE]: source }),
  };
  Object.assign(process.env, environment);
  process.chdir(cwd);
  if (program === process.execPath) await import('#functions/serve.ts');
  else process.execve?.(program, [program, ...args], process.env);
}

// The first process of a container is not ended by a signal that it does not take.
const onTerm = (): void => process.exit(143);
process.once('SIGTERM', onTerm);
try {
  const prepared = await prepare(parsePodSettings(process.env));
  process.off('SIGTERM', onTerm);
  await become(prepared);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
