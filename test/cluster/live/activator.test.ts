import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeScenarios } from './scenarios.ts';

const STAGE = {
  program: 'activator-child.ts',
  additions: ['rouse-activator', 'autoscale', 'grpc-ping', 'wsserver'],
};

/** Rouse in the place of Knative's activator, whose Deployment, ServiceAccount and rights stay as they are. */
describeScenarios("in the place of Knative's activator", STAGE, ({ play }) => {
  beforeAll(async () => {
    await play('prepare');
  });
  afterAll(async () => {
    await play('restore');
  });

  test('a hundred at once for what takes one at a time: from zero, scaled, all answered', async () => {
    expect(await play('burst')).toEqual({ counts: { 200: 100 }, cold: 'true', scaled: true });
  });

  test('gRPC from zero', async () => {
    expect(await play('grpc')).toEqual({ said: true });
  });

  test('a WebSocket from zero', async () => {
    expect(await play('webSocket')).toEqual({ said: 'hello' });
  });

  test('the autoscaler may be lost: what is awake does not notice, what sleeps wakes', async () => {
    expect(await play('autoscaler')).toEqual({ counts: ['200'], woken: 200 });
  });

  test('one of two is killed while both hold requests: its own end at once, the others are served, and it is back', async () => {
    expect(await play('killed')).toEqual({
      both: true,
      lost: ['ECONNRESET'],
      stayed: true,
      rest: ['200'],
      after: { 200: 100 },
    });
  });

  test('one of two ends while both hold requests and others run, and none is lost', async () => {
    expect(await play('ending')).toEqual({
      long: { 200: 20 },
      short: ['200'],
      held: { 200: 500 },
    });
  });

  // After the others: it falls asleep in more than a minute.
  test('what was scaled up goes back to zero, and wakes again', async () => {
    expect(await play('again')).toEqual({ status: 200, cold: 'true' });
  });
});
