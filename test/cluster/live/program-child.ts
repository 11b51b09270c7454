import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeRows, TRAINED, writeRows } from '#test/e2e/digit-rows.ts';
import { runRouse } from '#test/e2e/platform.ts';
import { findForbidden } from './inside/audit.ts';
import { forward, type Forward } from './inside/forward.ts';
import { installerOf, SYSTEM } from './inside/installers.ts';
import { kubectl, untilRolledOut } from './inside/kubectl.ts';
import { untilCluster } from './inside/within.ts';

/**
 * Run in the box: Rouse is installed, and retrains a model by pods, while control and a pod are ended; prints as JSON what
 * was seen. `argv[2]`: by what it is installed, `argv[3]`: the image.
 */

const [, , how = '', image = ''] = process.argv;
const SAMPLES = resolve(import.meta.dirname, '../../../functions/samples/digits');
const MODEL = {
  apiVersion: 'rouse.dev/v1alpha1',
  kind: 'Model',
  metadata: { name: 'digits' },
  spec: {
    revision: { name: 'v1', runtime: 'onnx', source: join(SAMPLES, 'v1.onnx') },
    selection: { strategy: 'periodicBest', schedule: { every: '1s' }, change: 'now' },
    keepAlive: { policy: 'fixed', idle: '6s' },
  },
};
/** In this time a test does what it does while it runs. */
const HELD_MS = 15_000;
const HELD = `console.log('held'); setTimeout(() => import(process.argv[1]), ${HELD_MS});`;
const IN_SYSTEM = ['--namespace', SYSTEM];
const OF_JOBS = ['--selector', 'rouse.dev/job', '--output', 'name'];

interface Job {
  readonly state: string;
  readonly reason: string;
  readonly attempts: number;
}

const install = installerOf(how);
const folder = await mkdtemp(join(tmpdir(), 'rouse-program-'));
let open: Forward | undefined;

async function rouse(...args: string[]): Promise<string> {
  const server = open?.urls[8081] ?? '';
  const { status, stdout, stderr } = await runRouse(args, folder, { ROUSE_SERVER: server });
  if (status !== 0) throw new Error(`rouse ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Its id. */
async function begin(...args: string[]): Promise<string> {
  const [id = ''] = (await rouse('program', '--detach', ...args)).split(' ');
  return id;
}

async function beginHeld(...about: string[]): Promise<string> {
  const given = ['--source', join(SAMPLES, 'retrain.mjs'), '--data', join(folder, 'rows')];
  const id = await begin(
    ...given,
    ...about,
    '--model',
    'digits',
    '--parent',
    'v1',
    '--',
    'node',
    '-e',
    HELD,
    '${SOURCE}',
  );
  await untilCluster('the program runs', async () =>
    (await rouse('job', 'logs', id)).includes('held'),
  );
  return id;
}

async function find(id: string): Promise<Job> {
  const headers = { authorization: `Bearer ${process.env['ROUSE_KEY']}` };
  const path = `/api/v1/namespaces/default/jobs/${id}`;
  return (await (await fetch(`${open?.urls[8081]}${path}`, { headers })).json()) as Job;
}

async function untilEnded(id: string): Promise<Job> {
  let found = await find(id);
  await untilCluster(`job ${id} has ended`, async () => {
    found = await find(id);
    return found.state !== 'Running' && found.state !== 'Pending';
  });
  return found;
}

/** What is there of programs, in all namespaces. */
async function leftOvers(): Promise<string[]> {
  const names = await kubectl('get', 'jobs,pods', '--all-namespaces', ...OF_JOBS);
  return names.split('\n').filter((name) => name !== '');
}

/** Its container begins anew, in the same pod, with the same state. */
async function endControl(): Promise<void> {
  const ofControl = [...IN_SYSTEM, '--selector', 'app.kubernetes.io/component=control'];
  const count = 'jsonpath={.items[*].status.containerStatuses[*].restartCount}';
  const restarts = async (): Promise<string> =>
    await kubectl('get', 'pods', ...ofControl, '--output', count);
  const before = await restarts();
  await open?.close();
  const end = ['node', '-e', 'process.kill(1, "SIGTERM")'];
  await kubectl('exec', ...IN_SYSTEM, 'deploy/rouse', '--', ...end);
  await untilCluster('it has begun anew', async () => (await restarts()) !== before);
  await untilRolledOut('deployment', ...IN_SYSTEM);
  open = await forward(SYSTEM, 'rouse', [80, 8081]);
}

async function use(): Promise<Record<string, unknown>> {
  const begun = new Date().toISOString();
  await install.apply({ image, ephemeral: true, ingress: false, models: true, guarded: false });
  await untilRolledOut('deployment', ...IN_SYSTEM);
  open = await forward(SYSTEM, 'rouse', [80, 8081]);
  const inPod = ['exec', ...IN_SYSTEM, 'deploy/rouse', '--'];
  process.env['ROUSE_KEY'] = await kubectl(...inPod, 'rouse', 'key', 'create', '--role', 'admin');
  const rows = makeRows();
  await writeRows(join(folder, 'rows'), rows.slice(0, TRAINED), rows.slice(TRAINED));
  await writeFile(join(folder, 'model.yaml'), JSON.stringify(MODEL));
  await rouse('apply', '-f', 'model.yaml');

  const outlived = await beginHeld();
  await endControl();
  const first = await untilEnded(outlived);
  const logs = await rouse('job', 'logs', outlived);
  await untilCluster('the revision that it made serves', async () =>
    (await rouse('get', 'models')).includes('00002 100 %'),
  );

  const killed = await beginHeld();
  const pods = await kubectl(
    'get',
    'pods',
    '--selector',
    `rouse.dev/job=${killed}`,
    '--output',
    'name',
  );
  await kubectl('delete', pods, '--force', '--grace-period=0');
  const second = await untilEnded(killed);

  // An image as it is: what is no model server without its environment says so, and ends.
  const other = await untilEnded(await begin('--image', image));

  const cancelled = await beginHeld();
  await rouse('job', 'cancel', cancelled);
  let left: string[] = [];
  await untilCluster('nothing is left of the jobs', async () => {
    left = await leftOvers();
    return left.length === 0;
  }).catch(() => undefined);
  const seen = {
    outlived: { state: first.state, attempts: first.attempts },
    hasLearned: logs.includes('340 rows; right of 200 others'),
    killed: { state: second.state, attempts: second.attempts },
    image: `${other.state}: ${other.reason.split('\n', 1)[0]?.replace(/ after .*/, '')}`,
    left,
  };
  await rouse('delete', 'digits');
  return { ...seen, forbidden: findForbidden(begun) };
}

async function remove(): Promise<void> {
  await open?.close();
  await install.remove();
  await rm(folder, { recursive: true });
}

const seen = await use().catch(async (error: unknown) => {
  // What has gone wrong is told, whatever becomes of that.
  await remove().catch(() => undefined);
  throw error;
});
await remove();
process.stdout.write(JSON.stringify(seen));
