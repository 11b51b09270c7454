import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test, vi } from 'vitest';
import { createHooks } from '#control/rollout/hooks.ts';
import { rollout as parseRollout } from '#domain/rollout.ts';
import { createFakeClock } from '#test/fake-clock.ts';
import { useTeardown } from '#test/teardown.ts';
import { until } from '#test/until.ts';
import { serveAnswers } from './answering-server.ts';
import { ADMIN, createHarness, deployed, program } from './harness.ts';

const teardown = useTeardown();
const SIDES = { stable: 'a/m/v1', canary: 'a/m/v2' };
const INTERVAL = 60_000;
const LIMIT = 10_000;

interface Hook {
  readonly url: string;
  /** Bodies, as they came. */
  readonly asked: string[];
}

/** What is answered to a question about this revision; undefined: nothing ever. */
type Answer = (revision: string) => { status?: number; body: string } | undefined;

async function serveHook(answer: Answer): Promise<Hook> {
  const asked: string[] = [];
  const listener: RequestListener = (request, response) => {
    void text(request).then((body) => {
      asked.push(`${request.method} ${request.headers['content-type']} ${body}`);
      const said = answer((JSON.parse(body) as { revision: string }).revision);
      if (said) response.writeHead(said.status ?? 200, { location: '/' }).end(said.body);
    });
  };
  return { url: await serveAnswers(listener, teardown), asked };
}

const value = (number: number): { body: string } => ({ body: JSON.stringify({ value: number }) });

function specOf(...urls: string[]) {
  const metrics = urls.map((url) => ({ metric: 'hook', url, margin: 1 }));
  return parseRollout.parse({ interval: '1m', metrics });
}

function start() {
  const clock = createFakeClock();
  const hooks = createHooks({ clock });
  teardown(() => hooks.close());
  return { clock, hooks };
}

describe('hooks', () => {
  test('each is asked once in an interval, for both revisions by their names', async () => {
    const { clock, hooks } = start();
    const hook = await serveHook((revision) => value(revision === 'v1' ? 0.9 : 0.8));
    const spec = specOf(hook.url);
    const follow = (): void => hooks.follow('a/m', spec, SIDES);
    const read = () => hooks.read('a/m', spec, SIDES);
    expect(read()).toMatchObject([{ stable: { missing: 'was not asked for yet' } }]);
    follow();
    const at = clock.now();
    const both = {
      query: hook.url,
      stable: { value: 0.9, at },
      canary: { value: 0.8, at },
      every: INTERVAL,
    };
    await until('it has answered', () => read()[0]?.canary.value !== undefined);
    expect(read()).toEqual([both]);
    const questions = ['v1', 'v2'].map(
      (revision) => `POST application/json {"namespace":"a","model":"m","revision":"${revision}"}`,
    );
    expect(hook.asked.toSorted()).toEqual(questions);

    clock.advance(INTERVAL - 1);
    follow();
    expect(read()).toEqual([both]);
    clock.advance(1);
    follow();
    await until('it has answered again', () => read()[0]?.canary.at === at + INTERVAL);
    expect(hook.asked).toHaveLength(4);
  });

  test.each<[string, ReturnType<Answer>, RegExp]>([
    ['a failure', { status: 500, body: '{"value":1}' }, /^is refused with 500$/],
    ['no JSON', { body: '<html>' }, /no JSON$/],
    ['no number', { body: '{"value":"1"}' }, /^has an answer without a number "value"$/],
    ['a number without end', { body: '{"value":1e999}' }, /without a number "value"$/],
    ['nothing', { body: 'null' }, /without a number "value"$/],
    ['too much', { body: ' '.repeat(300_000) }, /^has more than 262144 bytes$/],
    ['a way elsewhere', { status: 307, body: '' }, /^is not answered: /],
  ])('%s has no value, also where there was one before', async (_, bad, message) => {
    const { clock, hooks } = start();
    let isBad = false;
    const hook = await serveHook((revision) => (isBad && revision === 'v2' ? bad : value(1)));
    const spec = specOf(hook.url);
    hooks.follow('a/m', spec, SIDES);
    const [canary, stable] = [
      () => hooks.read('a/m', spec, SIDES)[0]?.canary,
      () => hooks.read('a/m', spec, SIDES)[0]?.stable,
    ];
    await until('it has answered', () => canary()?.value === 1);
    isBad = true;
    clock.advance(INTERVAL);
    hooks.follow('a/m', spec, SIDES);
    await until('it has failed', () => canary()?.value === undefined);
    expect(canary()?.missing).toMatch(message);
    expect(stable()).toEqual({ value: 1, at: clock.now() });
  });

  test('one that hangs is given up, and holds up no other model', async () => {
    const { clock, hooks } = start();
    const hanging = await serveHook(() => undefined);
    const quick = await serveHook(() => value(1));
    hooks.follow('a/m', specOf(hanging.url), SIDES);
    await until('it hangs', () => hanging.asked.length === 2);
    const others = { stable: 'a/n/v1', canary: 'a/n/v2' };
    hooks.follow('a/n', specOf(quick.url), others);
    await until(
      'the other has answered',
      () => hooks.read('a/n', specOf(quick.url), others)[0]?.canary.value === 1,
    );
    clock.advance(LIMIT);
    const read = () => hooks.read('a/m', specOf(hanging.url), SIDES)[0]?.canary.missing;
    await until('it is given up', () => read() === 'is not answered in time');
    expect(hanging.asked).toHaveLength(2);
  });

  test('one that takes longer than an interval is not asked again meanwhile', async () => {
    const { clock, hooks } = start();
    const fetched = vi.spyOn(globalThis, 'fetch');
    teardown(() => fetched.mockRestore());
    const hook = await serveHook(() => undefined);
    const spec = { ...specOf(hook.url), interval: 1000 };
    hooks.follow('a/m', spec, SIDES);
    await until('it hangs', () => hook.asked.length === 2);
    clock.advance(1000);
    hooks.follow('a/m', spec, SIDES);
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  test('nothing is asked of a rollout that has ended, and nothing outlives control', async () => {
    const { clock, hooks } = start();
    const hook = await serveHook(() => undefined);
    const spec = specOf(hook.url);
    hooks.follow('a/m', spec, SIDES);
    await until('it hangs', () => hook.asked.length === 2);
    hooks.forget('a/m');
    expect(hooks.read('a/m', spec, SIDES)[0]?.canary.missing).toBe('was not asked for yet');
    hooks.follow('a/m', spec, SIDES);
    await until('it hangs again', () => hook.asked.length === 4);
    await hooks.close();
    expect(clock.pending).toBe(0);
  });
});

test.each([
  ['RolledBack', 0.8, /^back to v1: hook http:\S+ is worse: 0\.8 against 0\.9/],
  ['Promoted', 0.9, /^v2 gets all requests: hook http:\S+: 0\.9 against 0\.9/],
])('by what a hook says of it a revision is %s', async (ended, score, reason) => {
  const hook = await serveHook((revision) => value(revision === 'v1' ? 0.9 : score));
  const harness = await createHarness({ memory: true });
  teardown(() => harness.close());
  const metrics = [{ metric: 'hook' as const, url: hook.url, margin: 0.05, minSamples: 10 }];
  const rollout = { steps: [50], interval: '15s', metrics };
  for (const name of ['v1', 'v2']) {
    await deployed(harness, { revision: program({ name }), rollout });
  }
  const fetched = vi.spyOn(globalThis, 'fetch');
  teardown(() => fetched.mockRestore());
  const view = async () => await harness.control.useCases.getRollout(ADMIN, 'default', 'm');
  await until('it has ended', async () => {
    harness.load({ revision: 'default/m/v2', arrivals: 9, ok: 9 });
    await harness.pass(1);
    // The clock of the test does not run ahead of what is asked over a real socket.
    await Promise.allSettled(fetched.mock.results.map(({ value: asked }) => asked));
    return (await view()).phase !== 'Running';
  });
  expect(await view()).toMatchObject({ phase: ended, why: expect.stringMatching(reason) });
});
