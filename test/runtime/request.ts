import { get } from 'node:http';
import { z } from 'zod';
import type { Address } from '#domain/routing.ts';
import type { Instance } from '#runtime/runtime.ts';

/** Asks an instance for a path. */
export async function ask(
  address: Address | undefined,
  path = '/',
): Promise<{ status: number; body: string }> {
  if (!address) throw new Error('no address to ask');
  const where =
    'socket' in address
      ? { socketPath: address.socket }
      : { host: address.host, port: address.port };
  return await new Promise((resolve, reject) => {
    get({ ...where, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    }).on('error', reject);
  });
}

const seen = z.object({ env: z.record(z.string(), z.string()), cwd: z.string(), asked: z.int() });

/** What `fixtures/workloads/program.py` tells of itself. */
export async function seenBy(instance: Instance): Promise<z.output<typeof seen>> {
  const { body } = await ask(instance.address);
  return seen.parse(JSON.parse(body));
}
