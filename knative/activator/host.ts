/** A revision, as a request names it. */
export interface Named {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The revision whose Service has this host name: `revision.namespace.svc.domain`. Undefined: it is none.
 *
 * @param hostname in lower case, without port.
 */
export function readRevisionHost(hostname: string, domain: string): Named | undefined {
  const end = `.svc.${domain}`;
  if (!hostname.endsWith(end)) return undefined;
  const [name = '', namespace = '', ...more] = hostname.slice(0, -end.length).split('.');
  return name === '' || namespace === '' || more.length > 0 ? undefined : { namespace, name };
}
