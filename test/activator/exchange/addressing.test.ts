import { describe, expect, test } from 'vitest';
import type { Addressing } from '#activator/addressing.ts';
import { silentLog } from '#lib/log.ts';
import { systemClock } from '#lib/clock.ts';
import { openClient, callUnary, startGrpcInstance } from '../http2/grpc-service.ts';
import { ask, openSession } from '../http2/client.ts';
import { call, makeModel } from '../harness.ts';
import { useHarness } from '../use-harness.ts';
import { Metadata } from '@grpc/grpc-js';

/** Whatever the path, `X-Way` says where a request goes. */
const byWay: Addressing = (head, routes) => {
  const way = head.fields.find('x-way');
  if (way === 'probe') {
    return { kind: 'answer', status: 203, type: 'text/plain', body: way, fields: 'X-Own: 1\r\n' };
  }
  const model = routes.models.get(way);
  if (!model) return { kind: 'unknown', detail: 'Which way?', dialect: 'problem' };
  return {
    kind: 'model',
    model,
    revision: 'v1',
    tag: undefined,
    path: head.target,
    dialect: 'problem',
  };
};

describe('addressing of another kind', () => {
  const harness = useHarness({}, {}, silentLog, systemClock, byWay);
  const way = { 'x-way': 'default/digits' };

  test('finds the model, and says what is none', async () => {
    await harness.serve((incoming, response) => response.end(incoming.url));
    const path = '/v2/models/other/ready';
    expect(await call(harness.port, path, { headers: way })).toMatchObject({ body: path });
    const unknown = await call(harness.port, '/models/default/digits/');
    expect(unknown.status).toBe(404);
    expect(JSON.parse(unknown.body)).toMatchObject({ detail: 'Which way?' });
  });

  test('answers by itself, over both protocols', async () => {
    await harness.publish();
    const headers = { 'x-way': 'probe' };
    const answer = await call(harness.port, '/any', { headers });
    expect(answer).toMatchObject({ status: 203, body: 'probe', headers: { 'x-own': '1' } });
    const session = await openSession(harness.port);
    harness.teardown(() => session.destroy());
    const second = await ask(session, { ':path': '/any', ...headers });
    expect(second).toMatchObject({ status: 203, body: 'probe', headers: { 'x-own': '1' } });
  });

  test('a call of inference is passed on as it is', async () => {
    const path = '/inference.GRPCInferenceService/ServerLive';
    const instance = await startGrpcInstance(
      { unary: (sent: { request: Buffer }, done: Function) => done(null, sent.request) },
      0,
      path,
    );
    harness.teardown(() => instance.close());
    await harness.publish(makeModel(), instance.port);
    const client = openClient(harness.port);
    harness.teardown(() => client.close());
    const metadata = new Metadata();
    metadata.set('x-way', 'default/digits');
    const called = await callUnary(client, metadata, 'no message of ours', { path });
    expect(called).toMatchObject({ error: undefined, body: 'no message of ours' });
  });

  test('a browser gets no page in the place of the answer', async () => {
    await harness.publish();
    const headers = { ...way, accept: 'text/html', 'x-envoy-expected-rq-timeout-ms': '1500' };
    expect(await call(harness.port, '/', { headers })).toMatchObject({
      status: 504,
      headers: { 'content-type': 'application/problem+json' },
    });
  });
});
