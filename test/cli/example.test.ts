import { expect, test } from 'vitest';
import { makeCurl } from '#cli/example.ts';

const PLAIN = { path: 'http://h:1/models/n/m/', infer: 'http://h:1/v2/models/m/infer' };
const TLS = { path: 'https://h:1/models/n/m/', infer: 'https://h:1/v2/models/m/infer' };
const pixels = { name: 'pixels', datatype: 'FP32', shape: [-1, 500] };

test.each([
  ['a program', undefined],
  ['rows', []],
  ['tensors', [{ ...pixels, shape: [1] }]],
  ['tensors of a program', [pixels]],
])('over TLS the command names the certificate to trust, over HTTP none: %s', (_, inputs) => {
  expect(makeCurl(TLS, inputs)).toContain('curl -sS --cacert CERTIFICATE.pem https://h:1/');
  expect(makeCurl(PLAIN, inputs)).toContain('curl -sS http://h:1/');
});
