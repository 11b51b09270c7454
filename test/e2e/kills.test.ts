import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createRandom, type Random } from '#test/fuzz/random.ts';
import { until } from '#test/until.ts';
import { numberedArgs } from './numbered.ts';
import {
  ENV,
  makeFolder,
  type Platform,
  processesOf,
  removeFolder,
  startPlatform,
} from './platform.ts';

const KILLS = 20;
/** 200 requests a second. */
const EVERY_MS = 5;
/** Requests between the moment that all instances are ready and the next kill, and after the scale-down. */
const MOST_BETWEEN = 20;
const AFTER_SCALE_DOWN = 200;
const SEED = Date.now() % 1_000_000_000;
let platform: Platform | undefined;

afterEach(async () => {
  await platform?.end('SIGKILL');
  if (platform) await removeFolder(platform.folder);
});

interface Outcome {
  readonly number: number;
  readonly status: number | undefined;
  readonly body: string;
  /** Its end came as HTTP wants it. */
  readonly whole: boolean;
}

/** POST, so that nothing may be sent again behind the caller's back; every third answer is a stream. */
function send(port: number, number: number, agent: Agent): Promise<Outcome> {
  return new Promise((done) => {
    let status: number | undefined;
    let body = '';
    const finish = (whole: boolean): void => done({ number, status, body, whole });
    const headers: Record<string, string> = {
      'x-number': String(number),
      'x-ms': String(number % 20),
    };
    if (number % 3 === 0) headers['x-stream'] = '10';
    const sent = request({ port, path: '/models/default/app/', method: 'POST', headers, agent });
    sent.on('response', (response) => {
      status = response.statusCode;
      response.setEncoding('utf8');
      response.on('data', (piece: string) => (body += piece));
      response.on('end', () => finish(response.complete));
      response.on('error', () => finish(false));
    });
    sent.on('error', () => finish(false));
    sent.end('body');
  });
}

function model(log: string, versions: readonly string[], scaling: string): string {
  const revision = (version: string): string =>
    `{ name: ${version}, runtime: command, concurrency: 4, args: ${numberedArgs(log, version)} }`;
  return `apiVersion: rouse.dev/v1alpha1
kind: Model
metadata: { name: app }
spec:
  revisions: [ ${versions.map(revision).join(', ')} ]
  traffic: [ { revision: v1, percent: 100 } ]
  scaling: ${scaling}
  keepAlive: { policy: fixed, idle: 60s }
`;
}

/** Kills one of the instances that were not killed yet. */
async function killOne(
  folder: string,
  random: Random,
  killed: ReadonlySet<number>,
): Promise<number> {
  const pids: number[] = [];
  await until('there is one to kill', async () => {
    for (const pid of await processesOf(folder)) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      if (line.includes('numbered.mjs') && !killed.has(pid)) pids.push(pid);
    }
    return pids.length > 0;
  });
  const pid = random.pick(pids);
  process.kill(pid, 'SIGKILL');
  return pid;
}

test(`${KILLS} kills of instances, a new revision, a new split and a scale-down at 200 requests/s (seed ${SEED}) lose only what the killed had in hand`, async () => {
  const folder = await makeFolder();
  const log = join(folder, 'log');
  const file = join(folder, 'model.yaml');
  platform = await startPlatform(folder, { env: ENV });
  const { port } = platform;
  await writeFile(file, model(log, ['v1'], '{ min: 2, max: 2 }'));
  expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
  const twoReady = (revision: string) => (found: Awaited<ReturnType<Platform['model']>>) =>
    found.status.instances.filter((each) => each.revision === revision && each.state === 'ready')
      .length >= 2;
  await platform.untilModel('app', twoReady('v1'));

  const agent = new Agent({ keepAlive: true });
  const outcomes: Promise<Outcome>[] = [];
  const load = setInterval(() => outcomes.push(send(port, outcomes.length, agent)), EVERY_MS);
  const random = createRandom(SEED, 0);
  const killed = new Set<number>();
  const sendMore = async (count: number): Promise<void> => {
    const wanted = outcomes.length + count;
    await until(`${count} more are sent`, () => outcomes.length >= wanted);
  };
  for (let i = 0; i < KILLS; i += 1) {
    await platform.untilModel('app', twoReady('v1'));
    await sendMore(random.int(MOST_BETWEEN));
    killed.add(await killOne(folder, random, killed));
    if (i === 5) {
      await writeFile(file, model(log, ['v1', 'v2'], '{ min: 2, max: 2 }'));
      expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
    }
    if (i === 10) {
      expect(await platform.rouse('traffic', 'app', 'v1=50', 'v2=50')).toMatchObject({ status: 0 });
    }
  }
  await platform.untilModel('app', twoReady('v1'));
  const scaled = model(log, ['v1', 'v2'], '{ min: 1, max: 2 }').replace(
    'traffic: [ { revision: v1, percent: 100 } ]',
    'traffic: [ { revision: v1, percent: 50 }, { revision: v2, percent: 50 } ]',
  );
  await writeFile(file, scaled);
  expect(await platform.rouse('apply', '-f', file)).toMatchObject({ status: 0 });
  await sendMore(AFTER_SCALE_DOWN);
  clearInterval(load);
  const results = await Promise.all(outcomes);
  agent.destroy();

  const lines = (await readFile(log, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  const handler = new Map<number, number>();
  const ended = new Set<number>();
  const begun = new Map<number, number>();
  for (const [what, number, , pid] of lines) {
    if (what === 'end') ended.add(Number(number));
    else {
      handler.set(Number(number), Number(pid));
      begun.set(Number(number), (begun.get(Number(number)) ?? 0) + 1);
    }
  }
  expect(
    [...begun.values()].every((times) => times === 1),
    'no request ran twice',
  ).toBe(true);
  const failed = results.filter((result) => !(result.status === 200 && result.whole));
  for (const { number, status, body } of failed) {
    const pid = handler.get(number);
    expect(
      pid === undefined || (killed.has(pid) && !ended.has(number)),
      `request ${number} (${status} ${body}) had met a killed process`,
    ).toBe(true);
    if (status === 200) expect(body.endsWith('end\n'), 'never completed by invention').toBe(false);
    else {
      expect({ number, status, ...JSON.parse(body) }).toMatchObject({
        status: 502,
        code: 'instance_lost',
      });
    }
  }
  const versions = new Set(results.map((result) => result.body.slice(0, 2)));
  expect(versions.has('v1') && versions.has('v2')).toBe(true);
  expect(killed.size).toBe(KILLS);
  console.log(
    `${results.length} requests, ${killed.size} kills: ${failed.length} lost with the killed (` +
      `${failed.filter((each) => each.status === 502).length} by 502, ` +
      `${failed.filter((each) => each.status === 200).length} cut)`,
  );
}, 180_000);
