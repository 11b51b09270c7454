import { expect, test } from 'vitest';
import * as ofExchanges from '#activator/exchange/refusals.ts';
import * as ofBytes from '#activator/http/refusals.ts';
import { countRefusal, createSharedMetrics, formatMetrics } from '#activator/metrics/metrics.ts';
import { type Refusal, REFUSAL_CODES } from '#activator/refusal.ts';
import { FAULTS } from '#lib/fault.ts';
import { dial } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const harness = useHarness();

/** The reasons that were counted, as often as they were. */
function countedIn(text: string): string[] {
  const rows = [...text.matchAll(/^rouse_refusals_total\{reason="(\w+)"\} (\d+)$/gm)];
  expect(rows).toHaveLength(REFUSAL_CODES.length);
  return rows.flatMap(([, reason = '', count]) => Array<string>(Number(count)).fill(reason));
}

const CONSTANTS = Object.entries<unknown>({ ...ofBytes, ...ofExchanges }).filter(
  (pair): pair is [string, Refusal] => typeof pair[1] === 'object',
);

test('there are refusals to look at', () => {
  expect(CONSTANTS.length).toBeGreaterThan(15);
});

test.each(CONSTANTS)('%s has the status of its code, and its row', (_, { code, status }) => {
  const metrics = createSharedMetrics();
  countRefusal(metrics, code);
  expect(countedIn(formatMetrics([], metrics, { heldBytes: 0, linked: true }))).toEqual([code]);
  expect(status).toBe(FAULTS[code].status);
});

test.each([
  ['CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n', 405, 'method_not_allowed'],
  ['BREW / HTTP/1.1\r\nHost: h\r\n\r\n', 501, 'not_implemented'],
  [
    'POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
    501,
    'not_implemented',
  ],
  ['GET / HTTP/1.2\r\nHost: h\r\n\r\n', 505, 'bad_request'],
  ['POST / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n', 417, 'bad_request'],
])('counted by its reason: %j', async (head, status, reason) => {
  await harness.publish();
  const { socket, closed } = await dial(harness.port);
  socket.write(head);
  expect(await closed).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [^]*"code":"${reason}"`));
  expect(countedIn(await harness.scrape())).toEqual([reason]);
});
