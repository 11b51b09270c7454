import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createHostTable } from '#knative/ingress/host-table.ts';

const HOSTS = ['a', 'b', 'c'];
const KEYS = ['k1', 'k2', 'k3'];

const step = fc.record({
  key: fc.constantFrom(...KEYS),
  age: fc.constantFrom('1', '2'),
  /** None: it is deleted. */
  hosts: fc.option(fc.uniqueArray(fc.constantFrom(...HOSTS)), { nil: undefined }),
});

test('a host is that of the oldest who claims it, whatever came and went before', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const table = createHostTable<string>();
      const claims = new Map<string, { age: string; hosts: string[] }>();
      for (const { key, age, hosts } of steps) {
        if (hosts) {
          table.set(
            key,
            age,
            hosts.map((host) => [host, `${key} of ${host}`]),
          );
          claims.set(key, { age, hosts });
        } else {
          table.delete(key);
          claims.delete(key);
        }
        for (const host of HOSTS) {
          const all = [...claims].filter(([, claim]) => claim.hosts.includes(host));
          const order = all.map(([of, claim]) => `${claim.age} ${of}`).toSorted();
          const owner = order[0]?.slice(2);
          expect(table.find(host)).toBe(owner && `${owner} of ${host}`);
          for (const [of] of all) {
            const lost = table.lost(of).find((each) => each.host === host);
            expect(lost?.owner).toBe(of === owner ? undefined : owner);
          }
        }
      }
    }),
  );
});

test('of what names a host twice the first counts', () => {
  const table = createHostTable<number>();
  table.set('k', '1', [
    ['a', 1],
    ['a', 2],
  ]);
  expect(table.find('a')).toBe(1);
});
