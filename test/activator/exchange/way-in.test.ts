import { Agent } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Addressing, SplitRow } from '#activator/addressing.ts';
import { makeHeadEdits } from '#activator/http/head-edits.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLog } from '#lib/log.ts';
import { call, makeInstance, makeModel, makeRevision } from '../harness.ts';
import { useHarness } from '../use-harness.ts';

/** Half a second is long for a test, and short for a hold. */
const HOLD = { hold: 500, run: 60_000, idle: 0, drain: 30_000 };

const rows: readonly SplitRow[] = ['one', 'two'].map((name) => ({
  model: `default/${name}`,
  edits: makeHeadEdits({ set: { 'X-Row': name }, remove: ['x-gone'], host: `${name}.internal` }),
}));
const weights = Int32Array.of(75, 25);
const credit = new Int32Array(2);

const byPath: Addressing = ({ target }, routes, { entry }) => {
  const dialect = 'problem';
  if (target === '/entry') {
    return { kind: 'answer', status: 200, type: 'text/plain', body: entry, fields: '' };
  }
  if (target === '/split') return { kind: 'split', rows, weights, credit, path: target, dialect };
  const model = routes.models.get(target.slice(1));
  if (!model) return { kind: 'unknown', detail: 'no such host', dialect };
  return { kind: 'model', model, revision: '', tag: undefined, path: '/', dialect };
};

const second = {
  name: 'inside',
  host: '127.0.0.1',
  port: 0,
  entry: { tls: [], trustedProxies: [], proxyProtocol: false },
};

const harness = useHarness({}, {}, silentLog, systemClock, byPath, {
  transparent: true,
  more: [second],
});

async function serveRows(): Promise<void> {
  const { port } = await harness.startInstance(({ headers }, response) => {
    const { host, 'x-row': row, 'x-gone': gone = 'none', 'x-kept': kept } = headers;
    response.end(`${String(row)} ${host} ${String(gone)} ${String(kept)}`);
  });
  const names = ['one', 'two'];
  harness.publisher.update({
    models: names.map((name) => makeModel({ name })),
    instances: names.map((name) =>
      makeInstance(port, { id: name, revision: `default/${name}/v1` }),
    ),
  });
  await harness.activator.ready;
}

describe('a split over several models', () => {
  test('is exact also for the same head again and again, and each row changes the head its own way', async () => {
    await serveRows();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    harness.teardown(() => agent.destroy());
    const headers = { 'X-Row': 'theirs', 'x-gone': '1', 'X-Kept': '1' };
    const bodies: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      bodies.push((await call(harness.port, '/split', { headers, agent })).body);
    }
    const counts = new Map<string, number>();
    for (const body of bodies) counts.set(body, (counts.get(body) ?? 0) + 1);
    expect(counts).toEqual(
      new Map([
        ['one one.internal none 1', 30],
        ['two two.internal none 1', 10],
      ]),
    );
  });

  test('of which one is not there is not found', async () => {
    await harness.publish();
    expect((await call(harness.port, '/split')).status).toBe(404);
  });
});

test('addressing is told by which port a request came, and all ports close', async () => {
  await harness.publish();
  const [inside = 0] = harness.activator.morePorts;
  expect((await call(harness.port, '/entry')).body).toBe('');
  expect((await call(inside, '/entry')).body).toBe('inside');
  await harness.activator.close(0);
  await expect(call(harness.port, '/entry')).rejects.toThrow('ECONNREFUSED');
  await expect(call(inside, '/entry')).rejects.toThrow('ECONNREFUSED');
});

describe('a way in that is transparent', () => {
  test("passes fields on that are Rouse's, and adds none of its own", async () => {
    await harness.serve((incoming, response) => response.end(JSON.stringify(incoming.headers)));
    const headers = {
      authorization: 'Bearer rk_none_of_ours',
      'rouse-hold': '1s',
      'rouse-priority': 'whatever',
      'rouse-request-id': 'a',
      'rouse-status': 'true',
    };
    const answer = await call(harness.port, '/default/digits', { headers });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject(headers);
    for (const own of ['rouse-revision', 'rouse-cold-start', 'server-timing']) {
      expect(answer.headers[own]).toBeUndefined();
    }
  });

  test('holds a caller for which nobody is there, then says so with 503', async () => {
    await harness.publish(makeModel({ revisions: [makeRevision({ timeouts: HOLD })] }));
    const answer = await call(harness.port, '/default/digits');
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(answer.headers['rouse-revision']).toBeUndefined();
    expect(answer.body).toContain('Nobody takes requests for digits');
  });
});
