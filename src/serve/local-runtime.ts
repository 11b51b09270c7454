import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ServerSettings } from '#domain/server.ts';
import type { Clock } from '#lib/clock.ts';
import { entryUrl } from '#lib/entry.ts';
import type { Log } from '#lib/log.ts';
import { createLocalRuntime, type LocalRuntime } from '#runtime/local/local.ts';
import type { Artifacts } from '#store/artifacts.ts';
import type { DataFolder } from './data-folder.ts';

/** The local runtime over the data folder, with our own model servers. */
export async function createPlatformRuntime(options: {
  folder: DataFolder;
  artifacts: Artifacts;
  settings: ServerSettings;
  clock: Clock;
  log: Log;
}): Promise<LocalRuntime> {
  const { folder, artifacts, settings, clock, log } = options;
  return await createLocalRuntime({
    folder: folder.runtime,
    stateId: folder.stateId,
    node: hostname(),
    programs: programs(),
    artifacts,
    readSecret: (namespace, name) => folder.readSecret(namespace, name),
    // Where instances are pods, it only looks into files.
    pool: settings.knative ? 0 : settings.pool,
    clock,
    log,
  });
}

function fileOf(entry: string): string {
  return fileURLToPath(entryUrl(entry, import.meta.url));
}

/** Our model servers. */
export function programs(): { serve: string[]; inspect: string[]; python: string[] } {
  const node = [process.execPath, '--no-warnings'];
  return {
    serve: [...node, fileOf('../../functions/serve')],
    inspect: [...node, fileOf('../../functions/inspect')],
    python: ['python3', fileURLToPath(new URL('../../functions/python/serve.py', import.meta.url))],
  };
}
