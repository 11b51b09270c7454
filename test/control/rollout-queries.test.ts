import type { RequestListener } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createQueries } from '#control/rollout/queries.ts';
import { createAsked } from '#control/autoscaling/signals/asked.ts';
import { rollout as parseRollout } from '#domain/rollout.ts';
import type { RolloutView } from '#domain/views.ts';
import { silentLog } from '#lib/log.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { ADMIN, createHarness, deployed, type Harness, program, rest } from './harness.ts';
import { serveAnswers } from './answering-server.ts';

const teardown = useTeardown();
const asked: string[] = [];
/** What Prometheus says of a revision; undefined: nothing. */
let errorsOf: (revision: string) => string | undefined;
/** Revisions that answer their callers. */
let answering: readonly string[];
let harness: Harness;
const fetched = vi.spyOn(globalThis, 'fetch');

beforeEach(async () => {
  asked.length = 0;
  answering = ['v1', 'v2'];
  const answer: RequestListener = (request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams.get('query') ?? '';
    asked.push(query);
    const value = errorsOf(query.endsWith('v1') ? 'v1' : 'v2');
    const result = value === undefined ? [] : [{ value: [1, value] }];
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  };
  const prometheus = await serveAnswers(answer, teardown);
  harness = await createHarness({ memory: true, prometheus });
});
afterEach(async () => {
  await harness.close();
});

const metric = {
  metric: 'prometheus',
  query: '${namespace}/${model}/${revision}',
  goal: 'lower',
  margin: 2,
  minSamples: 10,
} as const;
const rollout = { steps: [50], interval: '15s', metrics: [{ ...metric }] };

async function begin(): Promise<void> {
  for (const name of ['v1', 'v2']) {
    await deployed(harness, { revision: program({ name }), rollout });
  }
}

const view = async () => await harness.control.useCases.getRollout(ADMIN, 'default', 'm');

/** The clock of the tests does not run ahead of what is asked over a real socket. */
async function second(): Promise<void> {
  for (const name of answering) harness.load({ revision: `default/m/${name}`, arrivals: 9, ok: 9 });
  await harness.pass(1);
  await Promise.allSettled(fetched.mock.results.map(({ value }) => value));
}

async function passes(what: string, isSo: (now: RolloutView) => boolean): Promise<void> {
  await until(what, async () => {
    await second();
    return isSo(await view());
  });
}

test('both revisions are asked for by their names, and the worse one goes back', async () => {
  errorsOf = (revision) => (revision === 'v1' ? '1' : '4');
  await begin();
  await passes('it has ended', ({ phase }) => phase !== 'Running');
  const { phase, why } = await view();
  expect(phase).toBe('RolledBack');
  expect(why).toMatch(
    /^back to v1: prometheus \$\{namespace\}.* is worse: 4 against 1, on the average of 10 looks/,
  );
  expect(new Set(asked)).toEqual(new Set(['default/m/v1', 'default/m/v2']));
});

test('one that is no worse is promoted', async () => {
  errorsOf = () => '1';
  await begin();
  await passes('it has ended', ({ phase }) => phase !== 'Running');
  expect((await view()).phase).toBe('Promoted');
});

test('one that answers nobody is not promoted, whatever is said of it', async () => {
  errorsOf = () => '1';
  answering = ['v1'];
  await begin();
  await passes('it is said', ({ why }) =>
    why.startsWith('0 of at least 100 warm requests that it answered'),
  );
  for (let count = 0; count < 200; count++) await second();
  expect(await view()).toMatchObject({ phase: 'Running', percent: 50 });
});

test('what has no value for one of them is never zero: it stays, and says so', async () => {
  errorsOf = (revision) => (revision === 'v1' ? '1' : undefined);
  await begin();
  await passes('it is said', ({ why }) => why.includes('it has no value for the canary'));
  for (let count = 0; count < 60; count++) await second();
  expect(await view()).toMatchObject({
    phase: 'Running',
    percent: 50,
    why: expect.stringContaining(
      '0 against 0, on the average of 0 looks, fewer than 10, the last are left out: it has no value',
    ),
  });
});

test('what is asked for ends with the rollout', async () => {
  const clock = createFakeClock();
  const measures = { read: async () => [], readAll: async () => [] };
  const query = async (text: string): Promise<number> => asked.push(text);
  const asking = createAsked({ clock, log: silentLog, measures, query });
  teardown(() => asking.close());
  const queries = createQueries({ asked: asking });
  const sides = { stable: 'a/m/v1', canary: 'a/m/v2' };
  const spec = parseRollout.parse(rollout);
  queries.follow('a/m', spec, sides);
  await rest();
  expect(asked).toEqual(['a/m/v1', 'a/m/v2']);
  expect(queries.read('a/m', spec, sides)).toMatchObject([
    { query: metric.query, stable: { value: 1 }, canary: { value: 2 } },
  ]);
  queries.forget('a/m');
  clock.advance(60_000);
  await rest();
  expect(asked).toHaveLength(2);
  expect(queries.read('a/m', spec, sides)).toMatchObject([{ canary: { value: undefined } }]);
});
