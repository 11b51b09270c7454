/**
 * The names that callers may use for a host: a service of the cluster is known by shorter ones, too
 * (`ExpandedHosts` of knative.dev/networking/pkg/ingress). In lower case.
 *
 * @param domain of the cluster, such as `cluster.local`.
 */
export function expandHosts(hosts: readonly string[], domain: string): Set<string> {
  const suffixes = [`.${domain}`, `.svc.${domain}`];
  const names = hosts.map((host) => host.toLowerCase());
  const shorter = names.flatMap((name) =>
    suffixes
      .filter((suffix) => name.endsWith(suffix))
      .map((suffix) => name.slice(0, -suffix.length)),
  );
  return new Set([...names, ...shorter].filter(endsInName));
}

/** The last label of a name is none of digits alone: that would be an address. */
function endsInName(host: string): boolean {
  const last = host.slice(host.lastIndexOf('.') + 1);
  return last.length <= 63 && /[^0-9]/.test(last);
}
