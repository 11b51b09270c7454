import type { KubeConfig } from '@kubernetes/client-node';
import { Fault, messageOf } from '#lib/fault.ts';
import { type Connection, openConnection } from './connection.ts';

/**
 * Credentials are those of `kubeconfig`, a file, or else what kubectl would take: `KUBECONFIG`, the file in the home
 * folder, the service account of the pod. Throws Fault `invalid` when they cannot be used.
 */
export async function createConnection(kubeconfig?: string): Promise<Connection> {
  const config = await loadConfig(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) {
    throw new Fault(
      'invalid',
      `${kubeconfig ?? 'kubeconfig'}: expected a current context with a cluster`,
    );
  }
  return openConnection(server, (options) => config.applyToHTTPSOptions(options));
}

/** Large, and of no use to those who run on one machine: loaded by those who need it. */
async function loadConfig(kubeconfig: string | undefined): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    if (kubeconfig === undefined) config.loadFromDefault();
    else config.loadFromFile(kubeconfig);
  } catch (error) {
    throw new Fault('invalid', `${kubeconfig ?? 'kubeconfig'}: ${messageOf(error)}`);
  }
  return config;
}
