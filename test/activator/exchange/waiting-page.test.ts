import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { isNavigation, makeWaitingPage, PAGE_AFTER_MS } from '#activator/exchange/waiting-page.ts';
import { until } from '#test/until.ts';
import {
  call,
  makeInstance,
  makeModel,
  makeRevision,
  startStill,
  type StillHarness,
} from '../harness.ts';
import { useHarness } from '../use-harness.ts';

const PATH = '/models/default/digits/';
const BROWSER = {
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
};

const harness = useHarness();
const model = makeModel({
  revisions: [makeRevision({ concurrency: 1, coldStartSeconds: 3.2 })],
});

beforeEach(async () => {
  await harness.publish(model);
});

/** A data plane whose time only the test makes pass, with that model. */
async function startOther(): Promise<StillHarness> {
  const still = await startStill();
  harness.teardown(() => still.close());
  still.publisher.update({ models: [model] });
  await still.activator.ready;
  return still;
}

test.each([
  ['GET', BROWSER.accept, true],
  ['GET', 'text/html', true],
  ['GET', 'application/json, TEXT/HTML;q=0.5', true],
  ['GET', '*/*', false],
  ['GET', 'text/*', false],
  ['GET', 'text/html-like', false],
  ['GET', '', false],
  ['POST', BROWSER.accept, false],
])('%s with Accept %j: a person looks at it: %s', (method, accept, expected) => {
  expect(isNavigation(method, accept)).toBe(expected);
});

describe('a browser that opens a sleeping model', () => {
  test('gets a page that needs nothing from elsewhere, and the model is asked to wake once more', async () => {
    const still = await startOther();
    const answering = call(still.port, PATH, { headers: BROWSER });
    await still.report('wake');
    still.clock.advance(PAGE_AFTER_MS);
    const answer = await answering;
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'retry-after': '3',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const policy = String(answer.headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    for (const [tag, directive] of [
      ['script', 'script-src'],
      ['style', 'style-src'],
    ] as const) {
      const text = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(answer.body)?.[1] ?? '';
      const hash = createHash('sha256').update(text).digest('base64');
      expect(policy).toContain(`${directive} 'sha256-${hash}'`);
    }
    expect(answer.body, 'it does not wait for itself').toContain('It takes about 3 s.');
    expect(answer.body).not.toMatch(/(?:src|href|action)="[^"]|\son\w+=|https?:/);
    expect(answer.body).toContain('<noscript><meta http-equiv="refresh" content="3"></noscript>');
    const wakes = () => still.reports.filter(({ type }) => type === 'wake');
    await until('it is asked for once more', () => wakes().length === 2);
  });

  test('gets the model itself when it wakes within the second', async () => {
    const still = await startOther();
    const started = await harness.startInstance((_, response) => response.end('model'));
    const answer = call(still.port, PATH, { headers: BROWSER });
    await still.report('wake');
    still.clock.advance(PAGE_AFTER_MS - 1);
    still.publisher.update({ instances: [makeInstance(started.port)] });
    expect(await answer).toMatchObject({ status: 200, body: 'model' });
  });

  test.each([
    ['a program', { accept: '*/*' }],
    ['a browser that says how long it waits', { ...BROWSER, 'rouse-hold': '1500ms' }],
  ])('%s is held on', async (_, headers) => {
    const hold = { 'rouse-hold': '1500ms' };
    const answer = await call(harness.port, PATH, { headers: { ...hold, ...headers } });
    expect(answer.status).toBe(504);
  });

  test('a model that is awake and busy is waited for', async () => {
    let finish = (): void => {};
    const started = await harness.startInstance((_, response) => {
      finish = () => response.end('model');
    });
    harness.publisher.update({ instances: [makeInstance(started.port)] });
    const first = call(harness.port, PATH);
    await harness.report('load', ({ revisions }) => revisions.some((load) => load.inFlight === 1));
    const second = call(harness.port, PATH, { headers: BROWSER });
    const isQueued = (report: { revisions: readonly { queued: number }[] }) =>
      report.revisions.some((load) => load.queued === 1);
    // Reported once a second: with the second report more than a second has passed.
    await harness.report('load', isQueued);
    const seen = harness.reports.length;
    await harness.report('load', (report) => harness.reports.length > seen + 1 && isQueued(report));
    const arrived = once(started.server, 'request');
    finish();
    await first;
    await arrived;
    finish();
    expect(await second).toMatchObject({ status: 200, body: 'model' });
  });

  test('a model that does not start is said to, with the reason; the page tries nothing by itself', async () => {
    const startFailure = { message: 'exited with <status> 3', until: Date.now() + 60_000 };
    harness.publisher.update({
      models: [makeModel({ revisions: [makeRevision({ startFailure })] })],
    });
    let answer = await call(harness.port, PATH, { headers: BROWSER });
    while (!answer.body.includes('not able')) {
      answer = await call(harness.port, PATH, { headers: BROWSER });
    }
    expect(answer).toMatchObject({
      status: 503,
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50);
    expect(answer.body).toContain('The last attempt failed: exited with &#60;status&#62; 3');
    expect(answer.body).toContain('<p id="again"><a href="">Try again</a></p>');
    expect(answer.body).not.toMatch(/<script|http-equiv/);
    const program = await call(harness.port, PATH);
    expect(JSON.parse(program.body)).toMatchObject({ code: 'start_failed' });
  });

  test('so is one that failed its proof, by name of the revision, too', async () => {
    const revisions = [makeRevision({ state: 'Failed', reason: 'exited with <status> 3' })];
    harness.publisher.update({ models: [makeModel({ name: 'broken', targets: [], revisions })] });
    const path = '/models/default/broken/';
    let answer = await call(harness.port, path, { headers: BROWSER });
    while (answer.status === 404) answer = await call(harness.port, path, { headers: BROWSER });
    const named = await call(harness.port, path, {
      headers: { ...BROWSER, 'rouse-revision': 'v1' },
    });
    for (const { status, headers, body } of [answer, named]) {
      expect(status).toBe(503);
      expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8' });
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(body).toContain('The last attempt failed: exited with &#60;status&#62; 3');
      expect(body).not.toMatch(/<script|http-equiv/);
    }
  });

  test.each([{ hold: 0 }, { hold: 50 }, { hold: 1000 }, { total: 70 }])(
    'gets the page also where the model allows no longer wait: %j',
    async (limits) => {
      const timeouts = { hold: 60_000, run: 1000, idle: 0, drain: 0, ...limits };
      const revisions = [makeRevision({ timeouts })];
      harness.publisher.update({ models: [makeModel({ name: 'short', revisions })] });
      const path = '/models/default/short/';
      let answer = await call(harness.port, path, { headers: BROWSER });
      while (answer.status === 404) answer = await call(harness.port, path, { headers: BROWSER });
      expect(answer).toMatchObject({
        status: 503,
        headers: { 'content-type': 'text/html; charset=utf-8' },
      });
      expect(answer.body).toContain('waking up');
      const program = await call(harness.port, path);
      expect(program.headers['content-type']).toBe('application/problem+json');
    },
  );

  test('a model that is awake and busy, and allows no wait, has no page: it is not waking', async () => {
    const timeouts = { hold: 0, run: 60_000, idle: 0, drain: 0 };
    const revisions = [makeRevision({ concurrency: 1, timeouts })];
    let finish = (): void => {};
    const started = await harness.startInstance((_, response) => {
      finish = () => response.end('model');
    });
    harness.publisher.update({
      models: [makeModel({ revisions })],
      instances: [makeInstance(started.port)],
    });
    const arrived = once(started.server, 'request');
    const first = call(harness.port, PATH);
    await arrived;
    const second = await call(harness.port, PATH, { headers: BROWSER });
    expect(JSON.parse(second.body)).toMatchObject({ code: 'unavailable' });
    finish();
    await first;
  });

  test('of what runs elsewhere it says that it cannot be reached', () => {
    const status = {
      namespace: 'n',
      model: 'far',
      revision: 'v1',
      state: 'failed',
      waiting: 0,
      inFlight: 0,
      expectedWaitSeconds: null,
    } as const;
    const { body } = makeWaitingPage(status, { elsewhere: true });
    expect(body).toContain('<title>far cannot be reached</title>');
    expect(makeWaitingPage(status).body).toContain('<title>far is not able to start</title>');
  });

  test('names are text, whatever is in them', () => {
    const status = {
      namespace: 'n',
      model: `<img src=x onerror="alert('1')">&`,
      revision: 'v1',
      state: 'starting',
      waiting: 0,
      inFlight: 0,
      expectedWaitSeconds: null,
    } as const;
    const { body } = makeWaitingPage(status);
    expect(body).not.toContain('<img');
    expect(body).toContain('&#60;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&#62;&#38;');
  });
});
