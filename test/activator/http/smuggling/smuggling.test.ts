import { afterAll, beforeAll, expect, test } from 'vitest';
import { dial, type Harness, makeInstance, makeModel, startHarness } from '../../harness.ts';
import { type RecordingInstance, startRecordingInstance } from '../../recording-instance.ts';
import { VECTORS } from './vectors.ts';

/** Published ways to smuggle requests: what reaches the instance, and that nobody else notices. */

let harness: Harness;
let instance: RecordingInstance;

beforeAll(async () => {
  harness = await startHarness();
  instance = await startRecordingInstance(({ head }, socket) => {
    const [, target = ''] = head.split(' ');
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`, 'latin1');
  });
  harness.publisher.update({ models: [makeModel()], instances: [makeInstance(instance.port)] });
  await harness.activator.ready;
});

afterAll(async () => {
  await harness.close();
  await instance.close();
});

/** Without the fields that this hop adds. */
function plain(head: string): string {
  return head.replaceAll(
    /(?:X-Forwarded-For|X-Forwarded-Proto|X-Forwarded-Host|traceparent): [^\r]*\r\n/g,
    '',
  );
}

async function askAsVictim(): Promise<void> {
  const victim = await dial(harness.port);
  victim.socket.write(
    'GET /models/default/digits/victim HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  );
  expect(await victim.closed).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\n\/victim$/);
}

test.each(VECTORS)('$name ($source)', async ({ sends, statuses, reaches }) => {
  instance.requests.length = 0;
  const attacker = await dial(harness.port);
  attacker.socket.setNoDelay(true);
  for (const piece of sends) {
    attacker.socket.write(Buffer.from(piece, 'latin1'));
    await askAsVictim();
  }
  const text = await attacker.until(
    new RegExp(`(HTTP/1\\.1 [2-5]\\d\\d [^]*){${statuses.length}}`),
  );
  // Whatever was taken for the beginning of a request of its own would answer now, or swallow this.
  attacker.socket.write(
    'GET /models/default/digits/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n',
  );
  const all = await attacker.closed;
  await askAsVictim();

  expect(text.startsWith('HTTP/1.1 ')).toBe(true);
  const found = [...all.matchAll(/HTTP\/1\.1 ([2-5]\d\d) /g)].map((match) => Number(match[1]));
  const goesOn = (statuses.at(-1) ?? 0) < 400;
  expect(found).toEqual(goesOn ? [...statuses, 200] : statuses);
  const others = instance.requests.filter(({ head }) => !head.startsWith('GET /victim '));
  const seen = others.map(({ head, body }) => plain(head) + body);
  expect(seen).toEqual(goesOn ? [...reaches, 'GET /last HTTP/1.1\r\nHost: h\r\n\r\n'] : reaches);
  expect(instance.requests).toHaveLength(others.length + sends.length + 1);
  expect(instance.leftovers()).toEqual([]);
});
