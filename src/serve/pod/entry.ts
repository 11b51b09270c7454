import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ENV_SOURCE } from '#domain/launch.ts';
import type { RuntimeName } from '#domain/model.ts';
import { messageOf } from '#lib/fault.ts';
import { baseEnvironment, buildEnvironment, DEFAULTS } from '#runtime/local/environment.ts';
import { fillIn } from '#runtime/local/fill-in.ts';
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

/** Their server is a module: this process becomes it without another start. */
const NODE_SERVERS = new Set<RuntimeName>(['onnx', 'function']);

async function prepare({ workload, source, work }: PodSettings): Promise<Prepared> {
  const artifacts = await createArtifactFolder({ folder: join(work, 'artifacts') });
  const signal = AbortSignal.timeout(FETCH_MS);
  if (workload.artifact) {
    await fetchContent(source, workload.artifact, {
      artifacts,
      signal,
      wait: (ms) => setTimeout(ms, undefined, { signal }),
      warn: (text) => console.error(text),
    });
  }
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

async function become(
  { program, args, cwd, source, variables }: Prepared,
  runtime: RuntimeName,
): Promise<void> {
  const environment = {
    ...DEFAULTS,
    ...process.env,
    ...variables,
    ...(source !== undefined && { [ENV_SOURCE]: source }),
  };
  Object.assign(process.env, environment);
  process.chdir(cwd);
  if (NODE_SERVERS.has(runtime)) {
    await import('#functions/serve.ts');
    return;
  }
  const words = { PORT: process.env['PORT'] ?? '' };
  process.execve?.(program, [program, ...args.map((arg) => fillIn(arg, words))], process.env);
}

// The first process of a container is not ended by a signal that it does not take.
const onTerm = (): void => process.exit(143);
process.once('SIGTERM', onTerm);
try {
  const settings = parsePodSettings(process.env, process.argv.slice(2));
  const prepared = await prepare(settings);
  process.off('SIGTERM', onTerm);
  await become(prepared, settings.workload.spec.runtime);
} catch (error) {
  console.error(messageOf(error));
  process.exit(1);
}
