import { describe, expect, test } from 'vitest';
import { publicLookup, refusePrivate } from '#lib/private-hosts.ts';

describe('hosts of this machine or its network', () => {
  test.each([
    'http://127.0.0.1/',
    'http://[::1]:80/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[64:ff9b::7f00:1]/',
  ])('%s is refused as it stands', (address) => {
    expect(() => refusePrivate(new URL(address))).toThrow('is a private address');
  });

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
