import { expect, test } from 'vitest';
import { makeCurl } from '#cli/example.ts';

const PLAIN = { path: 'http://h:1/models/n/m/', infer: 'http://h:1/v2/models/m/infer' };
const TLS = { path: 'https://h:1/models/n/m/', infer: 'https://h:1/v2/models/m/infer' };
const pixels = { name: 'pixels', datatype: 'FP32', shape: [-1, 500] };

const WAY = { certificate: "/it's.pem", resolve: 'h:1:127.0.0.1' };

test.each([
  ['a program', undefined],
  ['rows', []],
  ['tensors', [{ ...pixels, shape: [1] }]],
  ['tensors of a program', [pixels]],
])(
  'over TLS the command says what is needed to get there, over HTTP nothing is: %s',
  (_, inputs) => {
    const options = String.raw`--cacert '/it'\''s.pem' --resolve h:1:127.0.0.1`;
    expect(makeCurl(TLS, inputs, WAY)).toContain(`curl -sS ${options} https://h:1/`);
    expect(makeCurl(PLAIN, inputs, {})).toContain('curl -sS http://h:1/');
  },
);
