import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeFolder, type Platform, removeFolder, startPlatform } from '#test/e2e/platform.ts';
import { until } from '#test/until.ts';

/**
 * Run in the box: `rouse serve` on the cluster as a user would, with the sample models; prints as JSON what it saw.
 * `argv[2]`: the image of the servers.
 */

const [, , image = ''] = process.argv;
const SAMPLES = resolve(import.meta.dirname, '../../../functions/samples');
const MODELS = ['chat', 'digits', 'embed', 'lang', 'sentiment'];
/** The node's address, which pods reach; the box has a network of its own, so ports are free. */
const NODE = '10.244.0.1';
const CONTROL = 18_081;
const TEXT = JSON.stringify({
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['what a lovely day'] }],
});

const folder = await makeFolder();

/** Where others can reach it, control starts only when there is a key. */
async function makeKey(): Promise<string> {
  const platform = await startPlatform(folder);
  const { stdout } = await platform.rouse('key', 'create', '--role', 'admin');
  await platform.end();
  return /rk_[\w-]+/.exec(stdout)?.[0] ?? '';
}

async function start(): Promise<Platform> {
  const addresses = ['--listen', `${NODE}:0`, '--control', `${NODE}:${CONTROL}`];
  const cluster = ['--runtime', 'knative', '--knative-image', image];
  const reach = ['--knative-control', `http://${NODE}:${CONTROL}`];
  return await startPlatform(folder, { args: [...addresses, ...cluster, ...reach] });
}

async function statesOf(platform: Platform): Promise<Record<string, string>> {
  const { stdout } = await platform.rouse('get', 'models', '-o', 'json');
  const models = JSON.parse(stdout) as { metadata: { name: string }; status: { state: string } }[];
  return Object.fromEntries(models.map(({ metadata, status }) => [metadata.name, status.state]));
}

async function post(platform: Platform, path: string, body: string): Promise<Response> {
  return await fetch(platform.requests + path, { method: 'POST', body });
}

/** A request for each, and what is right about the answer. */
async function askAll(platform: Platform): Promise<Record<string, unknown>> {
  const three = await readFile(join(SAMPLES, 'digits/three.json'), 'utf8');
  const digits = await post(platform, '/v2/models/digits/infer', three);
  const { outputs } = (await digits.json()) as { outputs: { name: string; data: unknown[] }[] };
  const chat = JSON.stringify({ model: 'chat', messages: [{ role: 'user', content: 'hello' }] });
  const embed = JSON.stringify({ model: 'embed', input: 'hello' });
  const said = await post(platform, '/v1/chat/completions', chat);
  const meant = await post(platform, '/v1/embeddings', embed);
  const felt = await post(platform, '/v2/models/sentiment/infer', TEXT);
  const lang = await post(platform, '/models/default/lang/', 'wie geht es dir');
  return {
    digits: outputs.find(({ name }) => name === 'label')?.data,
    chat: said.status,
    embed: meant.status,
    sentiment: felt.status,
    lang: lang.status,
    cold: digits.headers.get('rouse-cold-start'),
  };
}

async function countRevisions(platform: Platform): Promise<Record<string, number>> {
  const three = await readFile(join(SAMPLES, 'digits/three.json'), 'utf8');
  const counts: Record<string, number> = {};
  for (let i = 0; i < 200; i += 1) {
    const response = await post(platform, '/v2/models/digits/infer', three);
    await response.arrayBuffer();
    const revision = response.headers.get('rouse-revision') ?? '';
    counts[revision] = (counts[revision] ?? 0) + 1;
  }
  return counts;
}

process.env['ROUSE_KEY'] = await makeKey();
const platform = await start();
try {
  const applied = await platform.rouse('apply', '-f', SAMPLES);
  const awake = await askAll(platform);
  const counts = await countRevisions(platform);
  const asleep = async (): Promise<boolean> => {
    const states = await statesOf(platform);
    return MODELS.every((model) => states[model] === 'Asleep');
  };
  // They are kept for 60 s after their last request.
  for (let minutes = 0; minutes < 3; minutes += 1) {
    await until('all are asleep', asleep).catch(() => undefined);
  }
  const states = await statesOf(platform);
  const woken = await askAll(platform);
  const deleted: number[] = [];
  for (const model of MODELS) deleted.push((await platform.rouse('delete', model)).status);
  process.stdout.write(
    JSON.stringify({
      applied: applied.status === 0 ? 'all' : applied.stdout + applied.stderr,
      awake,
      split: counts,
      states,
      woken,
      deleted,
    }),
  );
} finally {
  await platform.end();
  await removeFolder(folder);
}
