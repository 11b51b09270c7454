import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkOf } from '#activator/entry/addresses.ts';
import { Origin } from '#activator/downstream/origin.ts';

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:db8:0:0::/64'],
  ['2001:0db8:0000:0000::2', '2001:db8:0:0::/64'],
  ['2001:DB8:0:1::', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.33', '64:ff9b:0:0::/64'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
  ['unknown', 'unknown'],
])('%s is of %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});

test('whoever has a network of IPv6 is one caller, whatever address of it is used', () => {
  const idOf = (address: string): string =>
    new Origin({ address, entry: '', secure: false, trust: undefined }).caller.id;
  const group = fc.nat(0xffff).map((value) => value.toString(16));
  const half = fc.tuple(group, group, group, group).map((groups) => groups.join(':'));
  fc.assert(
    fc.property(half, half, half, (network, one, other) => {
      expect(idOf(`${network}:${one}`)).toBe(idOf(`${network}:${other}`));
      if (network !== other) expect(idOf(`${network}:${one}`)).not.toBe(idOf(`${other}:${one}`));
    }),
  );
});
