/** Who claims a host. */
interface Claim<T> {
  readonly key: string;
  readonly createdAt: string;
  readonly value: T;
}

/**
 * Hosts, each with what its owner says of it. Found in one step, however many there are.
 *
 * Invariant: of several claims of a host the oldest is its owner's; the others stand behind it and come to it when it
 * goes.
 */
export interface HostTable<T> {
  find(host: string): T | undefined;
  /** All that this key claims, in the place of what it did before. The first that names a host counts. */
  set(key: string, createdAt: string, hosts: Iterable<readonly [string, T]>): void;
  delete(key: string): void;
  /** The hosts that this key claims and others own, and who does. */
  lost(key: string): { readonly host: string; readonly owner: string }[];
}

export function createHostTable<T>(): HostTable<T> {
  const claims = new Map<string, readonly Claim<T>[]>();
  const hostsOf = new Map<string, readonly string[]>();

  function remove(key: string): void {
    for (const host of hostsOf.get(key) ?? []) {
      const left = claims.get(host)?.filter((claim) => claim.key !== key) ?? [];
      if (left.length > 0) claims.set(host, left);
      else claims.delete(host);
    }
    hostsOf.delete(key);
  }

  return {
    find: (host) => claims.get(host)?.[0]?.value,
    set(key, createdAt, hosts) {
      remove(key);
      const wanted = new Map<string, T>();
      for (const [host, value] of hosts) if (!wanted.has(host)) wanted.set(host, value);
      for (const [host, value] of wanted) {
        const all = [...(claims.get(host) ?? []), { key, createdAt, value }];
        claims.set(host, all.toSorted(byAge));
      }
      hostsOf.set(key, [...wanted.keys()]);
    },
    delete: remove,
    lost(key) {
      return (hostsOf.get(key) ?? []).flatMap((host) => {
        const owner = claims.get(host)?.[0]?.key ?? key;
        return owner === key ? [] : [{ host, owner }];
      });
    },
  };
}

function byAge(a: Claim<unknown>, b: Claim<unknown>): number {
  return compare(a.createdAt, b.createdAt) || compare(a.key, b.key);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
