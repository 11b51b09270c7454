import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRig, type Rig } from './rig.ts';
import { VECTORS } from '#test/activator/http/smuggling/vectors.ts';
import { ACCEPTED, LIMITS, REFUSED } from '#test/activator/http/strictness-table.ts';

/** However its bytes are cut into reads, an input comes to the same. */

let rig: Rig;

beforeAll(async () => {
  rig = await createRig(LIMITS);
});

afterAll(() => rig.close());

/** Longer inputs are cut where something happens, and here and there. */
const ALL_POSITIONS = 700;

function outcomeOf(pieces: readonly Buffer[]) {
  const { answered, forwarded, ended, reset } = rig.run(0, pieces, ({ head }, connection) => {
    const body = head.startsWith('HEAD ') ? '' : 'ok';
    connection.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${body}`));
  });
  rig.takeStreams();
  const text = answered.toString('latin1').replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '');
  return {
    statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => match[1]),
    forwarded: forwarded.map(
      ({ head, content }) => head.replace(/traceparent: [^\r]*/, '') + content,
    ),
    ended,
    reset,
  };
}

function positions(bytes: Buffer): number[] {
  const all = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1);
  if (bytes.length <= ALL_POSITIONS) return all;
  return all.filter(
    (at) => at < 200 || at % 97 === 0 || bytes.length - at < 20 || Math.abs(at - LIMITS.head) < 5,
  );
}

const INPUTS = [
  ...REFUSED.map(([name, input]) => [name, input] as const),
  ...ACCEPTED.map(([name, input]) => [name, input] as const),
  ...VECTORS.map(({ name, sends }) => [name, sends.join('')] as const),
  ...[-1, 0, 1].map((over) => {
    const frame = 'GET /healthz HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n';
    const input = frame.replace('X: ', `X: ${'a'.repeat(LIMITS.head - frame.length + over)}`);
    return [`a head of the limit and ${over}`, input] as const;
  }),
];

test.each(INPUTS)('%s', (_, input) => {
  const bytes = Buffer.from(input, 'latin1');
  const whole = outcomeOf([bytes]);
  expect(whole.statuses.length).toBeGreaterThan(0);
  const single = Array.from(bytes, (byte) => Buffer.from([byte]));
  expect(outcomeOf(single)).toEqual(whole);
  for (const at of positions(bytes)) {
    const halves = outcomeOf([bytes.subarray(0, at), bytes.subarray(at)]);
    expect(halves, `cut at ${at}`).toEqual(whole);
  }
});
