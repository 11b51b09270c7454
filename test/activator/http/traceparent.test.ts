import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createTraces, isTraceparent } from '#activator/http/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const ZEROS = '0'.repeat(32);

describe('a traceparent', () => {
  test.each([
    `00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-00`,
    `00-${TRACE}-${PARENT}-ff`,
    `cc-${TRACE}-${PARENT}-01`,
    `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`,
    `01-${TRACE}-${PARENT}-01-`,
  ])('%s is understood', (value) => {
    expect(isTraceparent(value, 0, value.length)).toBe(true);
    const within = `traceparent: ${value}\r\n`;
    expect(isTraceparent(within, 13, 13 + value.length)).toBe(true);
  });

  test.each([
    '',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-011`,
    `00-${TRACE}-${PARENT}-01-more`,
    `cc-${TRACE}-${PARENT}-01.more`,
    `ff-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01-`,
    `00-${ZEROS}-${PARENT}-01`,
    `00-${TRACE}-${ZEROS.slice(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-0g`,
    `0G-${TRACE}-${PARENT}-01`,
    `00_${TRACE}-${PARENT}-01`,
    `00-${TRACE}_${PARENT}-01`,
    `00-${TRACE}-${PARENT}_01`,
    `00-${TRACE.slice(1)}-${PARENT}0-01`,
  ])('%j is not', (value) => {
    expect(isTraceparent(value, 0, value.length)).toBe(false);
  });
});

test('new traces are all different, and few calls give the digits of many', () => {
  let calls = 0;
  const next = createTraces((bytes) => {
    calls += 1;
    return randomBytes(bytes).toString('hex');
  });
  const lines = Array.from({ length: 2000 }, next);
  for (const line of lines) {
    const [, value = ''] = /^traceparent: (\S+)\r\n$/.exec(line) ?? [];
    expect(isTraceparent(value, 0, value.length), line).toBe(true);
    expect(value).toMatch(/-01$/);
  }
  const parts = lines.flatMap((line) => line.split('-').slice(1, 3));
  expect(new Set(parts).size).toBe(4000);
  expect(calls).toBe(8);
});
