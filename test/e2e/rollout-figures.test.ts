import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listening } from '#test/listening.ts';
import { until } from '#test/until.ts';
import {
  makeFolder,
  type Platform,
  removeFolder,
  type RolloutShape,
  startPlatform,
} from './platform.ts';

/** Canaries judged by figures that are not answers: what a Prometheus says that scrapes Rouse, and what they cost. */

const CALLS = 100;

let platform: Platform;
let folder: string;
let prometheus: Server;

beforeEach(async () => {
  folder = await makeFolder();
  prometheus = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams.get('query') ?? '';
    evaluate(query).then(
      (value) => {
        const result = value === undefined ? [] : [{ metric: {}, value: [0, String(value)] }];
        response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
      },
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  const args = ['--prometheus-url', `http://127.0.0.1:${await listening(prometheus)}`];
  platform = await startPlatform(folder, { args });
});
afterEach(async () => {
  await platform.end('SIGKILL');
  prometheus.closeAllConnections();
  await new Promise((resolve) => {
    prometheus.close(resolve);
  });
  await removeFolder(folder);
});

/** As much of PromQL as is asked here: `sum(name{labels}) / sum(name{labels})`, of what is scraped now. */
async function evaluate(query: string): Promise<number | undefined> {
  const asked = /^sum\((\w+)\{(.*)\}\) \/ sum\((\w+)\{(.*)\}\)$/.exec(query);
  if (!asked) throw new Error(`no such query: ${query}`);
  const [, part = '', ofPart = '', whole = '', ofWhole = ''] = asked;
  const text = await (await fetch(`${platform.control}/metrics`)).text();
  const all = sumOf(text, whole, ofWhole.split(','));
  return all === 0 ? undefined : sumOf(text, part, ofPart.split(',')) / all;
}

function sumOf(text: string, name: string, labels: readonly string[]): number {
  const series = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  const fitting = series.filter((line) => labels.every((label) => line.includes(label)));
  return fitting.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** What a revision is beside its name and source. */
async function deploy(name: string, source: string, part: string, rollout: string): Promise<void> {
  await writeFile(join(folder, `${name}.ts`), source);
  await writeFile(
    join(folder, 'model.yaml'),
    `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: m }
spec:
  revision: { name: ${name}, runtime: function, source: ./${name}.ts, ${part} }
  rollout: ${rollout}
`,
  );
  expect(await platform.rouse('apply', '-f', 'model.yaml')).toMatchObject({ status: 0 });
  await platform.untilModel('m', ({ status }) =>
    status.revisions.some((one) => one.name === name && one.state === 'Ready'),
  );
}

const rollout = (): Promise<RolloutShape> => platform.rollout('m');
const traffic = (): Promise<Record<string, number>> => platform.traffic('m');

async function call(): Promise<void> {
  for (let count = 0; count < CALLS; count++) {
    await (await fetch(`${platform.requests}/models/default/m/`)).text();
  }
}

/** It is proven, and its rollout has begun, which is written a little later. */
async function rollOut(...about: Parameters<typeof deploy>): Promise<void> {
  await deploy(...about);
  await until('its rollout has begun', async () => (await rollout()).canary === about[0]);
}

async function callUntil(what: string, isSo: (now: RolloutShape) => boolean): Promise<void> {
  await until(what, async () => {
    await call();
    return isSo(await rollout());
  });
}

const GOOD = `export default () => new Response('done');\n`;
/** Each second request fails. */
const FAILING = `let calls = 0;
export default () => new Response('done', { status: ++calls % 2 === 0 ? 500 : 200 });
`;

test('a revision that a query finds worse goes back, and it is said by which and how much', async () => {
  const labels = 'model="${model}",revision="${revision}"';
  const query = `sum(rouse_requests_total{${labels},code="500"}) / sum(rouse_requests_total{${labels}})`;
  const metric = `{ metric: prometheus, query: '${query}', goal: lower, margin: 0.1, minSamples: 10 }`;
  const steps = `{ steps: [50], interval: 1s, metrics: [${metric}] }`;
  await deploy('v1', GOOD, 'concurrency: 4', steps);
  await rollOut('v2', FAILING, 'concurrency: 4', steps);
  expect(await traffic()).toEqual({ v1: 50, v2: 50 });
  // A look every 15 s: each of these steps is some 30 s.
  for (let looks = 2; (await rollout()).phase === 'Running'; looks += 2) {
    await callUntil(`there were ${looks} looks`, ({ phase, why }) => {
      const seen = Number(/average of (\d+) looks/.exec(why)?.[1] ?? 0);
      return phase !== 'Running' || seen >= looks;
    });
  }
  const { phase, why } = await rollout();
  expect(phase).toBe('RolledBack');
  expect(why).toMatch(
    /^back to v1: prometheus sum\(.*… is worse: 0\.[3-6]\d* against 0, on the average of \d+ looks/,
  );
  expect(await traffic()).toEqual({ v1: 100 });
  expect((await platform.rouse('why', 'm')).stdout).toContain('RolloutRolledBack v2');
}, 300_000);

test('a revision that costs more goes back, one that costs less takes over', async () => {
  const metric = '{ metric: cost, ratio: 1.5 }';
  const steps = `{ steps: [50], interval: 1s, minSamples: 20, metrics: [${metric}] }`;
  const memory = (size: string): string => `resources: { memory: ${size} }`;
  await deploy('v1', GOOD, memory('100Mi'), steps);
  await rollOut('v2', GOOD, memory('800Mi'), steps);
  await callUntil('it has ended', ({ phase }) => phase !== 'Running');
  const dear = await rollout();
  expect(dear.phase).toBe('RolledBack');
  expect(dear.why).toMatch(
    /^back to v1: cost is worse: [\d.]+ ms of an instance for each of \d+ against [\d.]+ ms of an instance for each of \d+/,
  );
  expect(await traffic()).toEqual({ v1: 100 });

  await rollOut('v3', GOOD, memory('20Mi'), steps);
  await callUntil('it has ended, too', ({ phase }) => phase !== 'Running');
  const cheap = await rollout();
  expect(cheap).toMatchObject({ phase: 'Promoted' });
  expect(cheap.why).toMatch(/^v3 gets all requests: cost: [\d.]+ ms of an instance for each of/);
  expect(await traffic()).toEqual({ v3: 100 });
}, 300_000);
