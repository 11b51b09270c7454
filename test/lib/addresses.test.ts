import { expect, test } from 'vitest';
import { createAddressPolicy } from '#lib/addresses.ts';

const { isPublic, isNamed } = createAddressPolicy(['10.1.0.0/16', 'fd00::/8', '127.0.0.1']);

const PRIVATE =
  '127.0.0.1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 0.0.0.0 100.64.0.1 198.18.0.1 224.0.0.1 ' +
  '255.255.255.255 192.0.2.1 ::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:7f00:1 ' +
  '64:ff9b::a00:1 2002:a00:1:: 2001:db8::1 2001::1 fe80::1%eth0 localhost 0x7f.1 2130706433';

test.each([''].concat(PRIVATE.split(' ')))('%s is not public', (address) => {
  expect(isPublic(address)).toBe(false);
});

test.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8'])(
  '%s is public',
  (address) => {
    expect(isPublic(address)).toBe(true);
  },
);

test('networks and addresses that are named are known, in whatever form', () => {
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1', '127.0.0.1']) {
    expect(isNamed(address)).toBe(true);
  }
  for (const address of ['10.2.0.1', '127.0.0.2', 'fe80::1', '1.1.1.1', 'x']) {
    expect(isNamed(address)).toBe(false);
  }
});
