const DEFAULT_DOMAIN = 'cluster.local';

/** What the names of Services end with: by `CLUSTER_DOMAIN`, or by what the pod's `resolv.conf` searches. */
export function readClusterDomain(named: string | undefined, resolvConf: string): string {
  if (named !== undefined && named !== '') return named;
  const found = /^search[ \t](?:.*[ \t])?svc\.(\S+)/m.exec(resolvConf)?.[1];
  return found?.replace(/\.$/, '') ?? DEFAULT_DOMAIN;
}
