import { describe, expect, test } from 'vitest';
import { isPrivate, publicLookup, refusePrivate } from '#lib/private-hosts.ts';

describe('addresses that lead to this machine or its network', () => {
  test.each([
    '127.0.0.1',
    '0.0.0.0',
    '10.1.2.3',
    '172.31.255.255',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    'fd00::1',
    'fe80::1',
    'ff02::1',
    'no address',
  ])('%s is private', (address) => {
    expect(isPrivate(address)).toBe(true);
  });

  test.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1'])(
    '%s is not',
    (address) => {
      expect(isPrivate(address)).toBe(false);
    },
  );

  test.each(['http://127.0.0.1/', 'http://[::1]:80/', 'http://2130706433/', 'http://0x7f.1/'])(
    '%s is refused as it stands',
    (address) => {
      expect(() => refusePrivate(new URL(address))).toThrow('is a private address');
    },
  );

  test('a name is refused when it is looked up', async () => {
    expect(() => refusePrivate(new URL('http://localhost/'))).not.toThrow();
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    publicLookup('localhost', {}, (error) => resolve(error));
    expect(await promise).toMatchObject({
      code: 'forbidden',
      message: expect.stringMatching(/^localhost leads to .*, a private address/),
    });
  });
});
