import { type ModelAnswer, readModels } from '#domain/read-views.ts';
import { Fault } from '#lib/fault.ts';
import { nearNames } from '#lib/near.ts';
import { type Client, modelPath } from './client.ts';
import type { Io } from './io.ts';
import { clientFor, type Common, namespaceOf } from './options.ts';
import { listAll } from './pages.ts';
import { suggest } from './suggest.ts';

const PAGE = 1000;

/** A client for a command about one model: when that is not there, its refusals name those that are. */
export function modelClientFor(io: Io, options: Common, name: string): Client {
  const client = clientFor(io, options);
  const namespace = namespaceOf(options);
  return {
    ...client,
    call: async (call, read) =>
      await client.call(call, read).catch(async (error: unknown) => {
        throw await explainUnknown(client, namespace, name, error);
      }),
  };
}

/** `namespace`: of this one; undefined: of all. */
export async function listModels(
  client: Client,
  namespace: string | undefined,
): Promise<ModelAnswer[]> {
  const path = namespace === undefined ? '/api/v1/models' : modelPath(namespace);
  return await listAll(client, { path, query: { limit: PAGE } }, readModels);
}

async function explainUnknown(
  client: Client,
  namespace: string,
  name: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof Fault) || error.code !== 'not_found') return error;
  const models = await listModels(client, namespace).catch(() => undefined);
  const names = models?.map(({ metadata }) => metadata.name);
  if (!names || names.includes(name)) return error;
  const near = nearNames(name, names);
  const guess = near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`;
  const all = suggest(['get', 'models'], { server: client.server, namespace });
  return new Fault('not_found', `${error.message}.${guess} See: ${all}`);
}
