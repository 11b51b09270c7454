import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '#test/activator/harness.ts';
import { until } from '#test/until.ts';
import {
  makeFolder,
  type Platform,
  processesFor,
  removeFolder,
  startPlatform,
} from './platform.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SAMPLES = join(ROOT, 'functions/samples');
const MODELS = ['chat', 'digits', 'embed', 'lang', 'sentiment'];
const AWAKE = 'digits.yaml';
let platform: Platform;
let three: string;

/**
 * The samples as they are, but for the idle time: a minute is long for a test. Of the one that is found awake it is
 * longer than this machine may be busy with something else.
 */
async function copySamples(folder: string): Promise<string> {
  const copy = join(folder, 'samples');
  await mkdir(copy);
  await cp(SAMPLES, copy, { recursive: true });
  for (const name of await readdir(copy)) {
    if (!name.endsWith('.yaml')) continue;
    const file = join(copy, name);
    const text = await readFile(file, 'utf8');
    expect(text, name).toContain('idle: 60s');
    await writeFile(file, text.replace('idle: 60s', name === AWAKE ? 'idle: 6s' : 'idle: 2s'));
  }
  return copy;
}

const instances = (): Promise<number[]> => processesFor('instance', platform.folder);

async function untilAsleep(): Promise<void> {
  await until('no instance is left', async () => (await instances()).length === 0);
}

describe.each([
  ['in one process', []],
  ['with two workers', ['--workers', '2']],
])('%s', (_, more) => {
  beforeAll(async () => {
    const folder = await makeFolder();
    const samples = await copySamples(folder);
    three = await readFile(join(samples, 'digits/three.json'), 'utf8');
    // What stands by would be counted as what runs.
    const args = ['--apply', samples, '--pool', '0', ...more];
    platform = await startPlatform(folder, { args, cwd: ROOT });
  });

  afterAll(async () => {
    await platform.end();
    await removeFolder(platform.folder);
  });

  test('the start says what there is and what to try, and nothing runs (needs python3)', async () => {
    const output = await platform.until(/Try:\n.*\n.*\n.*deploy NAME FILE/);
    expect(output).toMatch(
      /^Rouse \d+\.\d+\.\d+ · requests http:\S+ · control http:\S+ · state \S+$/m,
    );
    // A revision that was proven a moment ago may not be gone yet.
    expect(output).toMatch(/^5 models, (all|\d) asleep:$/m);
    for (const name of MODELS) expect(output).toMatch(new RegExp(`^  ${name} +\\w+ +v1`, 'm'));
    expect(output).toMatch(/digits +onnx +v1 90 % · v2 10 %/);
    expect(output).toMatch(/curl -sS \S+\/v2\/models\/digits\/infer -d @\S*three\.json/);
    await untilAsleep();
  });

  test('the first call rouses the model, the second finds it awake, and after its idle time no process is left', async () => {
    await untilAsleep();
    const path = '/v2/models/digits/versions/v2/infer';
    const first = await call(platform.port, path, { body: three });
    expect(first.status).toBe(200);
    expect(first.headers).toMatchObject({ 'rouse-cold-start': 'true', 'rouse-revision': 'v2' });
    expect(JSON.parse(first.body)).toMatchObject({ outputs: [{ name: 'label', data: [3] }, {}] });
    const second = await call(platform.port, path, { body: three });
    expect(second.headers).toMatchObject({ 'rouse-cold-start': 'false' });
    expect((await instances()).length).toBe(1);
    await untilAsleep();
    expect((await platform.model('digits')).status.state).toBe('Asleep');
  });

  test('1,000 calls split 900 to 100', async () => {
    const agent = new Agent({ keepAlive: true });
    const counts = new Map<unknown, number>();
    for (let i = 0; i < 1000; i += 1) {
      const answer = await call(platform.port, '/v2/models/digits/infer', { body: three, agent });
      expect(answer.status).toBe(200);
      const revision = answer.headers['rouse-revision'];
      counts.set(revision, (counts.get(revision) ?? 0) + 1);
    }
    agent.destroy();
    expect(Math.abs((counts.get('v1') ?? 0) - 900)).toBeLessThanOrEqual(1);
    expect(Math.abs((counts.get('v2') ?? 0) - 100)).toBeLessThanOrEqual(1);
  });

  test('every other sample answers from its sleep (needs python3)', async () => {
    const chat = {
      model: 'chat',
      stream: true,
      messages: [{ role: 'user', content: 'Are you awake?' }],
    };
    const streamed = await call(platform.port, '/v1/chat/completions', {
      body: JSON.stringify(chat),
    });
    expect(streamed.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(streamed.body).toMatch(/^data: \{[^]*\}\n\ndata: \[DONE\]\n\n$/);
    const instancesBody = JSON.stringify({ instances: ['not bad at all', 'I hate waiting'] });
    const sentiment = await call(platform.port, '/v1/models/sentiment:predict', {
      body: instancesBody,
    });
    expect(JSON.parse(sentiment.body)).toMatchObject({
      predictions: [{ label: 'positive' }, { label: 'negative' }],
    });
    const lang = await call(platform.port, '/models/default/lang/', {
      body: 'Guten Morgen, wie ist es mit dir?',
    });
    expect(JSON.parse(lang.body)).toMatchObject({ language: 'de' });
  });
});
