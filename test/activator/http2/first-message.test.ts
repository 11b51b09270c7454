import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FirstMessage } from '#activator/downstream/inference/first-message.ts';
import { makePrefix } from '#activator/http2/grpc.ts';
import {
  BODY_TIMEOUT_MS,
  MAX_ROUTED_BODY,
  type Plane,
  ROUTED_BODY_TIMEOUT_MS,
} from '#activator/plane.ts';
import { createFakeClock } from '#test/fake-clock.ts';

const LIMITS = { body: 1000, heldBytes: 2000 };
const LARGE = 2 * MAX_ROUTED_BODY;

function makePlane() {
  const clock = createFakeClock();
  const plane = { heldBytes: 0, limits: LIMITS, now: () => clock.now() } as Plane;
  return { clock, plane };
}

test('a message is read once all of it has come, in whatever pieces', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), sizes, (bytes, more, pieces) => {
      const { plane } = makePlane();
      const first = new FirstMessage(plane);
      const whole = makePrefix(bytes.length).length + bytes.length;
      const sent = Buffer.concat([makePrefix(bytes.length), bytes, Buffer.alloc(more, 7)]);
      for (let at = 0, i = 0; at < whole; i += 1) {
        const piece = sent.subarray(at, at + pieces[i % pieces.length]!);
        at += piece.length;
        expect(first.take(piece)).toBeUndefined();
        expect(plane.heldBytes).toBe(at);
        const expected = { message: Buffer.from(bytes), isFollowed: at > whole };
        expect(first.read()).toEqual(at < whole ? undefined : expected);
      }
      expect(sent.indexOf(Buffer.concat(first.letGo()))).toBe(0);
      expect(plane.heldBytes).toBe(0);
    }),
  );
});

test('what is compressed or longer than may be is refused by its prefix', () => {
  const { plane } = makePlane();
  const cases = [
    [Buffer.from([1, 0, 0, 0, 9]), 501],
    [makePrefix(LIMITS.body - 4), 413],
    [makePrefix(LIMITS.body - 5), undefined],
  ] as const;
  for (const [prefix, status] of cases) {
    const first = new FirstMessage(plane);
    expect(first.take(Buffer.from(prefix))).toBeUndefined();
    if (status === undefined) expect(first.read()).toBeUndefined();
    else expect(first.read()).toMatchObject({ status });
    first.letGo();
  }
});

test('what the data plane has no room for is refused and not held', () => {
  const { plane } = makePlane();
  const first = new FirstMessage(plane);
  expect(first.take(Buffer.alloc(LIMITS.heldBytes))).toBeUndefined();
  expect(first.take(Buffer.alloc(1))).toMatchObject({ status: 503 });
  expect(first.letGo()).toEqual([Buffer.alloc(LIMITS.heldBytes)]);
});

test('it is stalled when no byte has come for as long as a body may be silent', () => {
  const { clock, plane } = makePlane();
  const limits = { body: LARGE, heldBytes: LARGE };
  const first = new FirstMessage({ ...plane, limits } as Plane);
  clock.advance(BODY_TIMEOUT_MS - 1);
  expect(first.isStalled(clock.now())).toBe(false);
  // Of a large one, which may take longer.
  first.take(Buffer.alloc(LARGE));
  clock.advance(BODY_TIMEOUT_MS - 1);
  expect(first.isStalled(clock.now())).toBe(false);
  clock.advance(1);
  expect(first.isStalled(clock.now())).toBe(true);
});

test('it is stalled when it comes byte by byte, and not when it is large and comes at a fair rate', () => {
  const { clock, plane } = makePlane();
  const first = new FirstMessage(plane);
  for (let i = 0; i < 4; i += 1) {
    expect(first.isStalled(clock.now())).toBe(false);
    first.take(Buffer.alloc(1));
    clock.advance(ROUTED_BODY_TIMEOUT_MS / 4 + 1);
  }
  expect(first.isStalled(clock.now())).toBe(true);
  first.letGo();

  const minute = MAX_ROUTED_BODY;
  const roomy = { ...plane, limits: { body: 8 * minute, heldBytes: 8 * minute } } as Plane;
  const large = new FirstMessage(roomy);
  for (let i = 0; i < 16; i += 1) {
    large.take(Buffer.alloc(minute / 2));
    clock.advance(ROUTED_BODY_TIMEOUT_MS / 2 - 1);
    expect(large.isStalled(clock.now())).toBe(false);
  }
  large.letGo();
});
