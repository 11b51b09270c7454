import { applyFolder } from '#cli/apply.ts';
import { type Client, modelPath } from '#cli/client.ts';
import { watchFolder } from '#cli/watch.ts';
import { waitUntilSettled } from '#cli/wait.ts';
import { type ModelAnswer, readModel } from '#domain/read-views.ts';
import type { Clock } from '#lib/clock.ts';
import { messageOf } from '#lib/fault.ts';

/**
 * Applies the folder that `rouse serve --apply` names, waits until its models are ready or have failed, and
 * follows it with `--watch`. What is wrong with a file is told and keeps nothing else from being served.
 */
export async function applyAtStart(options: {
  client: Client;
  folder: string;
  watch: boolean;
  clock: Clock;
  signal: AbortSignal;
}): Promise<ModelAnswer[]> {
  const { client, folder, watch, clock, signal } = options;
  const { stdout, stderr } = process;
  const io = { cwd: process.cwd(), clock, signal, stdout, stderr };
  const models = await applyAll().catch((error: unknown) => {
    if (!signal.aborted) stderr.write(`rouse: ${messageOf(error)}\n`);
    return [];
  });
  if (watch && !signal.aborted) await follow();
  return models;

  async function applyAll(): Promise<ModelAnswer[]> {
    const applied = await applyFolder(client, folder, { cwd: io.cwd, progress: stderr });
    return await Promise.all(
      applied.map(async (model) => {
        await waitUntilSettled(client, model, io);
        return await client.call({ path: modelPath(model.namespace, model.name) }, readModel);
      }),
    );
  }

  async function follow(): Promise<void> {
    const watching = await watchFolder(client, folder, io);
    signal.addEventListener('abort', () => void watching.close(), { once: true });
  }
}
