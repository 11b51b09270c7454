import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressOfEntry,
  addressOfNode,
  nodeOf,
  parseForwarded,
} from '#activator/http/forwarded.ts';
import { createTrust } from '#activator/entry/addresses.ts';

describe('Forwarded', () => {
  test.each([
    ['for=192.0.2.60', [{ for: '192.0.2.60' }]],
    ['For="[2001:db8:cafe::17]:4711"', [{ for: '[2001:db8:cafe::17]:4711' }]],
    [
      'for=192.0.2.60;proto=http;by=203.0.113.43',
      [{ for: '192.0.2.60', proto: 'http', by: '203.0.113.43' }],
    ],
    ['for=192.0.2.43, for=198.51.100.17', [{ for: '192.0.2.43' }, { for: '198.51.100.17' }]],
    ['for=_hidden,\tfor=unknown', [{ for: '_hidden' }, { for: 'unknown' }]],
    ['host="a;b, c";for="x\\"y"', [{ host: 'a;b, c', for: 'x"y' }]],
    ['secret=x;for=192.0.2.1', [{ for: '192.0.2.1' }]],
    ['__proto__=x', [{}]],
    ['proto=""', [{ proto: '' }]],
  ])('%s is understood', (value, elements) => {
    expect(parseForwarded(value)).toEqual(elements);
  });

  test.each([
    '',
    'for',
    'for=',
    '=x',
    'for = x',
    'for= x',
    'for=x ',
    'for=x,',
    ',for=x',
    'for=x,,for=y',
    'for=x;',
    ';for=x',
    'for=x; proto=http',
    'for=x for=y',
    'for=x;for=y',
    'for=x;FOR=x',
    'for="x',
    'for="x\\"',
    'for=x"y"',
    'for=[::1]',
    'for=192.0.2.1:80',
    'for="\u0000"',
    'for="é"',
  ])('%j is not', (value) => {
    expect(parseForwarded(value)).toBeUndefined();
  });

  test('any text is answered, and what is written by the grammar is read back', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void parseForwarded(text)),
      { numRuns: 2000 },
    );
    const value = fc.string({
      unit: fc.constantFrom(...Array.from(' !"#,;=\\abc[]:0')),
      maxLength: 12,
    });
    const element = fc.record({ for: value, host: value, proto: value });
    const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 4 }), (elements) => {
        const written = elements.map((each) =>
          Object.entries(each)
            .map(([name, text]) => `${name}=${quote(text)}`)
            .join(';'),
        );
        expect(parseForwarded(written.join(' , '))).toEqual(elements);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a node', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:80', '192.0.2.1'],
    ['192.0.2.1:_port', '192.0.2.1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['unknown', ''],
    ['Unknown:80', ''],
    ['_hidden', ''],
    ['2001:db8::1', undefined],
    ['[192.0.2.1]', undefined],
    ['192.0.2', undefined],
    ['192.0.2.256', undefined],
    ['192.0.2.01', undefined],
    ['192.0.2.1:', undefined],
    ['192.0.2.1:123456', undefined],
    ['[fe80::1%eth0]', undefined],
    ['localhost', undefined],
    ['_', undefined],
    ['', undefined],
  ])('%s has the address %j', (node, address) => {
    expect(addressOfNode(node)).toBe(address);
  });

  test('of X-Forwarded-For may be IPv6 without brackets', () => {
    expect(addressOfEntry('2001:db8::1')).toBe('2001:db8::1');
    expect(addressOfEntry('[2001:db8::1]:80')).toBe('2001:db8::1');
    expect(addressOfEntry('192.0.2.1')).toBe('192.0.2.1');
    expect(addressOfEntry('fe80::1%eth0')).toBeUndefined();
    expect(addressOfEntry('nobody')).toBeUndefined();
  });

  test('every address can be written as one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
        const [element] = parseForwarded(`for=${nodeOf(address)}`) ?? [];
        expect(addressOfNode(element?.for ?? '')).toBe(address);
      }),
    );
  });
});

test('trust is in addresses and networks of both families', () => {
  const trust = createTrust(['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '2001:db8::1/128']);
  const trusted = ['10.0.0.0', '10.255.255.255', '192.0.2.1', 'fd12::1', '2001:db8::1'];
  const others = ['11.0.0.0', '192.0.2.2', 'fe80::1', '2001:db8::2', 'unknown', '', '::'];
  expect(trusted.map((address) => trust(address))).toEqual(trusted.map(() => true));
  expect(others.map((address) => trust(address))).toEqual(others.map(() => false));
  expect(createTrust([])('10.0.0.1')).toBe(false);
});
