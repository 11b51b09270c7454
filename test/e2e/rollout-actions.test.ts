import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '#test/until.ts';
import {
  makeFolder,
  type Platform,
  removeFolder,
  type RolloutShape,
  startPlatform,
} from './platform.ts';

/** What people may do to a rollout, blue-green, and a hook that judges, live: with the platform killed in the middle of each. */

let platform: Platform;
let folder: string;

beforeEach(async () => {
  folder = await makeFolder();
  platform = await startPlatform(folder);
});
afterEach(async () => {
  await platform.end('SIGKILL');
  await removeFolder(folder);
});

const CALLS = 100;
/** While something is waited for: enough to judge a revision by, and no load that would keep it waiting. */
const CALLS_MEANWHILE = 20;
/** Scores of revisions, as each tells its own. */
const SCORES = { v1: 0.9, v2: 0.9, v3: 0.8 };
type Name = keyof typeof SCORES;

/** Asks the revision that it is to judge. */
const JUDGE = `export default async (request) => {
  const { namespace, model, revision } = await request.json();
  const address = \`\${process.env.REQUESTS}/models/\${namespace}/\${model}/\`;
  const response = await fetch(address, { headers: { 'Rouse-Revision': revision } });
  const { score } = await response.json();
  return Response.json({ value: score });
};
`;

async function applyModel(name: string, spec: string): Promise<void> {
  const head = `apiVersion: rouse.dev/v1alpha1\nkind: Model\nmetadata: { name: ${name} }\nspec:\n`;
  await writeFile(join(folder, `${name}.yaml`), head + spec);
  expect(await platform.rouse('apply', '-f', `${name}.yaml`)).toMatchObject({ status: 0 });
}

async function deploy(name: Name, rollout: string): Promise<void> {
  const answer = JSON.stringify({ name, score: SCORES[name] });
  await writeFile(join(folder, `${name}.ts`), `export default () => Response.json(${answer});\n`);
  const revision = `{ name: ${name}, runtime: function, source: ./${name}.ts }`;
  await applyModel('m', `  revision: ${revision}\n  rollout: ${rollout}\n`);
  await platform.untilModel('m', ({ status }) =>
    status.revisions.some((one) => one.name === name && one.state === 'Ready'),
  );
}

async function kill(): Promise<void> {
  await platform.end('SIGKILL');
  platform = await startPlatform(folder);
}

const rollout = (): Promise<RolloutShape> => platform.rollout('m');
const traffic = (): Promise<Record<string, number>> => platform.traffic('m');

/** One after the other, none fails; who has answered. */
async function call(calls = CALLS): Promise<ReadonlySet<string>> {
  const answered = new Set<string>();
  for (let count = 0; count < calls; count++) {
    const response = await fetch(`${platform.requests}/models/default/m/`);
    expect(response.status).toBe(200);
    answered.add(((await response.json()) as { name: string }).name);
  }
  return answered;
}

async function callUntil(what: string, isSo: (now: RolloutShape) => boolean): Promise<void> {
  await until(what, async () => {
    await call(CALLS_MEANWHILE);
    return isSo(await rollout());
  });
}

async function act(action: string): Promise<void> {
  expect(await platform.rouse('rollout', 'm', action)).toMatchObject({ status: 0 });
}

test('pause, resume, skip and abort hold over a kill of the platform', async () => {
  const steps = `{ steps: [25, 50, 75], interval: 1s, minSamples: 20, metrics: [{ metric: success, margin: 0.2 }] }`;
  await deploy('v1', steps);
  await deploy('v2', steps);
  await act('pause');
  await callUntil('it would go on', ({ why }) => why.includes('ready for the next step'));
  expect(await rollout()).toMatchObject({ phase: 'Paused', percent: 25 });

  await kill();
  expect(await rollout()).toMatchObject({ phase: 'Paused', percent: 25 });
  expect(await traffic()).toEqual({ v1: 75, v2: 25 });
  const again = await platform.rouse('rollout', 'm', 'pause');
  expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('is Paused already') });
  await act('resume');
  // By what it had seen before the kill; the next step needs requests of its own.
  await until('it goes on', async () => (await rollout()).percent === 50);

  await act('abort');
  await kill();
  expect(await rollout()).toMatchObject({ phase: 'Aborted', percent: 0 });
  expect(await traffic()).toEqual({ v1: 100 });
  expect(await call()).toEqual(new Set(['v1']));
  const late = await platform.rouse('rollout', 'm', 'resume');
  expect(late).toMatchObject({ status: 1, stderr: expect.stringContaining('has ended: Aborted') });

  await deploy('v3', steps);
  await act('pause');
  for (const percent of [50, 75]) {
    await act('skip');
    expect(await rollout()).toMatchObject({ phase: 'Paused', percent });
    await kill();
    expect(await traffic()).toEqual({ v1: 100 - percent, v3: percent });
  }
  await act('skip');
  await kill();
  expect(await rollout()).toMatchObject({ phase: 'Promoted', percent: 100 });
  expect(await call()).toEqual(new Set(['v3']));
  // Six starts of the platform.
}, 300_000);

test('blue-green, judged by a hook that is a model: before the switch and after it the platform is killed', async () => {
  await writeFile(join(folder, 'judge.ts'), JUDGE);
  const makeRollout = (url: string, looks = 10): string =>
    `{ strategy: blueGreen, interval: 1s, minSamples: 20, metrics: [{ metric: success, margin: 0.2 }, { metric: hook, url: '${url}', margin: 0.05, minSamples: ${looks} }] }`;
  await deploy('v1', makeRollout('http://127.0.0.1:1/'));

  /** On free ports, which are others after each start. */
  async function applyJudge(looks?: number): Promise<string> {
    const revision = `{ runtime: function, source: ./judge.ts, env: { REQUESTS: '${platform.requests}' } }`;
    await applyModel('judge', `  revision: ${revision}\n`);
    return makeRollout(`${platform.requests}/models/default/judge/`, looks);
  }

  // More than there will be: it is killed before the switch.
  await deploy('v2', await applyJudge(1000));
  await callUntil('it is judged', ({ why }) => /average of [1-9]\d* looks/.test(why));
  expect(await traffic()).toMatchObject({ v1: 100 });
  await kill();
  expect(await rollout()).toMatchObject({ phase: 'Running', percent: 0 });
  await callUntil('the hook is missed', ({ why }) => why.includes('is not answered: '));
  await deploy('v2', await applyJudge());
  await until('it is switched', async () => (await rollout()).percent === 100);
  await kill();
  expect(await rollout()).toMatchObject({ phase: 'Running', percent: 100 });
  expect(await call()).toEqual(new Set(['v2']));
  await deploy('v2', await applyJudge());
  await callUntil('it is promoted', ({ phase }) => phase === 'Promoted');

  await deploy('v3', await applyJudge());
  await until('it has gone back', async () => {
    expect(await call(CALLS_MEANWHILE)).toEqual(new Set(['v2']));
    return (await rollout()).phase === 'RolledBack';
  });
  expect((await rollout()).why).toMatch(/^back to v2: hook http:\S+ is worse: 0\.8 against 0\.9/);
  // Three starts of the platform, and some 40 looks of a second.
}, 300_000);
