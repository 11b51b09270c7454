import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { drawPicture } from '#test/e2e/drawn-digits.ts';
import { runRouse } from '#test/e2e/platform.ts';
import { createRandom } from '#test/fuzz/random.ts';
import { findForbidden } from './inside/audit.ts';
import { forward, type Forward } from './inside/forward.ts';
import { installerOf, SYSTEM } from './inside/installers.ts';
import { applyObject, kubectl, untilRolledOut } from './inside/kubectl.ts';
import { untilCluster } from './inside/within.ts';

/**
 * Run in the box: Rouse is installed with a volume for jobs, and scores a file twice, by one process and by shards of
 * which one is killed; prints as JSON what was seen. `argv[2]`: by what it is installed, `argv[3]`: the image.
 */

const [, , how = '', image = ''] = process.argv;
/** Of the node, as a volume that several pods mount; in control's pod and those of shards it is `/batch`. */
const DISK = `/var/lib/rouse-batch-${how}`;
const ROWS = 20_000;
const PIXELS = 64;
const ARGS = ['--columns', 'id', '--map', 'image=p*', '--batch-size', '16', '--detach'];
const SOURCE = resolve(import.meta.dirname, '../../../functions/samples/digits/v2.onnx');
const MODEL = {
  apiVersion: 'rouse.dev/v1alpha1',
  kind: 'Model',
  metadata: { name: 'digits' },
  spec: {
    revision: { name: 'v2', runtime: 'onnx', source: SOURCE },
    scaling: { max: 2 },
    keepAlive: { policy: 'fixed', idle: '6s' },
  },
};
const IN_SYSTEM = ['--namespace', SYSTEM];
const SHARDS = [...IN_SYSTEM, '--selector', 'app.kubernetes.io/component=batch'];

interface Job {
  readonly id: string;
  readonly state: string;
  readonly reason: string;
  readonly rows: { readonly done: number };
  readonly spec: { readonly output: { readonly path: string } };
}

const install = installerOf(how);
const folder = await mkdtemp(join(tmpdir(), 'rouse-batch-'));
let open: Forward | undefined;

async function makeVolume(): Promise<void> {
  await mkdir(DISK, { recursive: true });
  const expression = { key: 'kubernetes.io/hostname', operator: 'Exists' };
  await applyObject({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `rouse-batch-${how}` },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteMany'],
      local: { path: DISK },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [expression] }] } },
    },
  });
}

async function writeInput(): Promise<void> {
  const random = createRandom(1, 0);
  const head = ['id', ...Array.from({ length: PIXELS }, (_, pixel) => `p${pixel}`)].join(',');
  const rows = Array.from({ length: ROWS }, (_, id) => {
    const { pixels } = drawPicture(random);
    return [id, ...pixels.map((pixel) => pixel.toFixed(2))].join(',');
  });
  await writeFile(join(DISK, 'in.csv'), [head, ...rows].join('\n'), { mode: 0o644 });
}

async function rouse(...args: string[]): Promise<void> {
  const server = open?.urls[8081] ?? '';
  const { status, stdout, stderr } = await runRouse(args, folder, { ROUSE_SERVER: server });
  if (status !== 0) throw new Error(`rouse ${args.join(' ')}: ${stdout}${stderr}`);
}

async function findJob(output: string): Promise<Job> {
  const headers = { authorization: `Bearer ${process.env['ROUSE_KEY']}` };
  const response = await fetch(`${open?.urls[8081]}/api/v1/jobs`, { headers });
  const { items } = (await response.json()) as { items: Job[] };
  const found = items.find(({ spec }) => spec.output.path === `/batch/${output}`);
  if (!found) throw new Error(`there is no job for ${output}`);
  return found;
}

async function begin(output: string, ...more: string[]): Promise<void> {
  await rouse('batch', 'digits', '/batch/in.csv', '-o', `/batch/${output}`, ...ARGS, ...more);
}

async function untilEnded(output: string): Promise<string> {
  await untilCluster(`the job for ${output} has ended`, async () => {
    const { state } = await findJob(output);
    return state !== 'Running' && state !== 'Pending';
  });
  const { state, reason } = await findJob(output);
  return state === 'Succeeded' ? state : `${state}: ${reason}`;
}

/** Of those that run. */
async function shardPods(): Promise<string[]> {
  const running = ['--field-selector', 'status.phase=Running', '--output', 'name'];
  const names = await kubectl('get', 'pods', ...SHARDS, ...running);
  return names.split('\n').filter((name) => name !== '');
}

async function killShard(): Promise<boolean> {
  await untilCluster('four shards run, and have scored something', async () => {
    if ((await shardPods()).length < 4) return false;
    return (await findJob('sharded.csv')).rows.done > 50;
  });
  const [pod = ''] = await shardPods();
  await kubectl('delete', pod, ...IN_SYSTEM, '--force', '--grace-period=0');
  // Otherwise nothing was interrupted.
  return (await findJob('sharded.csv')).rows.done < ROWS;
}

/** What is there of jobs: Jobs of the cluster, their pods, models of jobs, and folders. */
async function leftOvers(): Promise<string[]> {
  const jobs = await kubectl('get', 'jobs', ...IN_SYSTEM, '--output', 'name');
  const pods = await kubectl('get', 'pods', ...SHARDS, '--output', 'name');
  const models = await kubectl('get', 'ksvc', '--output', 'name');
  const folders = await readdir(join(DISK, '.rouse/default'));
  const all = [...jobs.split('\n'), ...pods.split('\n'), ...models.split('\n'), ...folders];
  return all.filter((name) => name !== '' && !name.endsWith('/digits'));
}

async function use(): Promise<Record<string, unknown>> {
  const begun = new Date().toISOString();
  await makeVolume();
  await install.apply({
    image,
    ephemeral: true,
    batch: true,
    ingress: false,
    models: true,
    guarded: false,
  });
  await untilRolledOut('deployment', ...IN_SYSTEM);
  open = await forward(SYSTEM, 'rouse', [80, 8081]);
  const inPod = ['exec', ...IN_SYSTEM, 'deploy/rouse', '--'];
  process.env['ROUSE_KEY'] = await kubectl(...inPod, 'rouse', 'key', 'create', '--role', 'admin');
  await writeInput();
  await writeFile(join(folder, 'model.yaml'), JSON.stringify(MODEL));
  await rouse('apply', '-f', 'model.yaml');
  await begin('calm.csv');
  const calm = await untilEnded('calm.csv');
  await begin('sharded.csv', '--shards', '4');
  const killed = await killShard();
  const completions = 'jsonpath={.items[*].spec.completions}';
  const shards = Number(await kubectl('get', 'jobs', ...IN_SYSTEM, '--output', completions));
  const sharded = await untilEnded('sharded.csv');
  let left: string[] = [];
  await untilCluster('nothing is left of the jobs', async () => {
    left = await leftOvers();
    return left.length === 0;
  }).catch(() => undefined);
  const [one, other] = await Promise.all(
    ['calm.csv', 'sharded.csv'].map((name) => readFile(join(DISK, name), 'utf8')),
  );
  const rows = (other ?? '').trimEnd().split('\n').length - 1;
  const seen = { calm, shards, killed, sharded, rows, isSame: one === other, left };
  await rouse('delete', 'digits');
  return { ...seen, forbidden: findForbidden(begun) };
}

async function remove(): Promise<void> {
  await open?.close();
  await install.remove();
  await kubectl('delete', 'persistentvolume', `rouse-batch-${how}`);
  await rm(folder, { recursive: true });
  await rm(DISK, { recursive: true });
}

const seen = await use().catch(async (error: unknown) => {
  // What has gone wrong is told, whatever becomes of that.
  await remove().catch(() => undefined);
  throw error;
});
await remove();
process.stdout.write(JSON.stringify(seen));
