import { expect, test } from 'vitest';
import { formatAddress, splitAddress } from '#domain/address.ts';

test.each([
  ['10.0.0.1:8012', { host: '10.0.0.1', port: 8012 }],
  ['[fd00::1]:8012', { host: 'fd00::1', port: 8012 }],
  ['models.example:80', { host: 'models.example', port: 80 }],
])('%s is read as it was written', (text, address) => {
  expect(splitAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});
