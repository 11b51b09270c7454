import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '#lib/fault.ts';
import { type Connection, openConnection } from './connection.ts';

/** Where Kubernetes puts what a pod needs to speak to it. */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * A pod's own way to its cluster, by its service account. The client that reads kubeconfigs could do it, and takes 80 MB.
 * Throws Fault `invalid` outside of a pod.
 */
export async function createPodConnection(
  env: NodeJS.ProcessEnv,
  folder = FOLDER,
): Promise<Connection> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined) {
    throw new Fault('invalid', 'KUBERNETES_SERVICE_HOST is not set: this runs in pods only');
  }
  const ca = await read(join(folder, 'ca.crt'));
  return openConnection(
    `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    async (options) => {
      // Each time: it is replaced within the hour.
      const token = await read(join(folder, 'token'));
      options.ca = ca;
      options.headers.authorization = `Bearer ${token.trim()}`;
    },
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Fault('invalid', `${file} cannot be read: ${messageOf(error)}`);
  }
}
